"""The distribution registry: an envelope of notifications, many of which are of no interest.

https://distribution.github.io/distribution/about/notifications/
"""

from typing import Any

from build_hook import push
from build_hook.judging.forges import base, fields

CONTENT_TYPE = "application/vnd.docker.distribution.events."


class Registry(base.TokenForge):
    """Reads a registry's notifications."""

    name = "registry"

    def claims(self, body: dict[str, Any]) -> bool:
        """Whether the body is an envelope of events about targets."""
        events = fields.mappings(body.get("events"))
        return bool(events) and all(isinstance(one.get("target"), dict) for one in events)

    def _read(self, headers: base.Headers, body: dict[str, Any]) -> push.Event:
        events = fields.mappings(body.get("events"))
        pushed = [one for one in events if one.get("action") == "push"]
        targets = [fields.mapping(one.get("target")) for one in pushed]
        images = tuple(image for target in targets if (image := _image(target)))
        return push.Event(
            provider=self.name,
            event="events",
            kind=push.Kind.IMAGE_PUSH if pushed else push.Kind.OTHER,
            delivery_id=fields.name(events[0].get("id")) if events else None,
            images=images,
        )


def _image(target: dict[str, Any]) -> push.ImagePush | None:
    """The image of a manifest; layers are pushed with it."""
    name, kind = (
        fields.name(target.get("repository")),
        fields.word(target.get("mediaType", "manifest")),
    )
    if name is None or not ("manifest" in kind or "index" in kind):
        return None
    return push.ImagePush(name, fields.name(target.get("tag")), fields.name(target.get("digest")))
