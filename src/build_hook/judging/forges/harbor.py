"""Harbor: an image was pushed, in its own form or as a CloudEvent.

``Authorization`` is the configured header, verbatim.
https://goharbor.io/docs/latest/working-with-projects/project-configuration/configure-webhooks/
"""

from typing import Any

from build_hook import push
from build_hook.judging.forges import base, fields

_PUSHES = ("PUSH_ARTIFACT", "harbor.artifact.pushed", "pushImage")


class Harbor(base.TokenForge):
    """Reads Harbor's deliveries."""

    name = "harbor"
    setting = "the webhook's auth header"

    def claims(self, body: dict[str, Any]) -> bool:
        """Whether the body has Harbor's event data."""
        what = body.get("type")
        is_cloud_event = isinstance(what, str) and what.startswith("harbor.")
        return is_cloud_event or (
            isinstance(what, str) and isinstance(body.get("event_data"), dict)
        )

    def _read(self, headers: base.Headers, body: dict[str, Any]) -> push.Event:
        event = fields.name(body.get("type"))
        if event is None:
            raise base.UnreadableError(422, "The body has no type", "Send it from Harbor")
        data = fields.mapping(body.get("event_data")) or fields.mapping(body.get("data"))
        repository = fields.mapping(data.get("repository"))
        name = fields.name(repository.get("repo_full_name")) or fields.full_name(
            repository.get("namespace"), repository.get("name")
        )
        is_push = event in _PUSHES and name is not None
        resources = fields.mappings(data.get("resources"))
        return push.Event(
            provider=self.name,
            event=event,
            kind=push.Kind.IMAGE_PUSH if is_push else push.Kind.OTHER,
            delivery_id=fields.name(body.get("id")),
            action=event,
            repository=name,
            images=tuple(_image(name, one) for one in resources) if is_push and name else (),
        )


def _image(name: str, resource: dict[str, Any]) -> push.ImagePush:
    """A push by digest puts the digest where the tag belongs."""
    tag = fields.name(resource.get("tag"))
    is_digest = tag is not None and ":" in tag
    return push.ImagePush(name, None if is_digest else tag, fields.name(resource.get("digest")))
