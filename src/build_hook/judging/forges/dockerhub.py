"""Docker Hub: an image was pushed.

It signs nothing and sends no header of its own; its callback URL is not called.
https://docs.docker.com/docker-hub/repos/manage/webhooks/
"""

from typing import Any

from build_hook import push
from build_hook.judging.forges import base, fields


class DockerHub(base.TokenForge):
    """Reads Docker Hub's deliveries."""

    name = "dockerhub"

    def claims(self, body: dict[str, Any]) -> bool:
        """Whether the body has what was pushed, and a repository."""
        return isinstance(body.get("push_data"), dict) and isinstance(body.get("repository"), dict)

    def _read(self, headers: base.Headers, body: dict[str, Any]) -> push.Event:
        repository = fields.mapping(body.get("repository"))
        pushed = fields.mapping(body.get("push_data"))
        name = fields.name(repository.get("repo_name")) or fields.full_name(
            repository.get("namespace"), repository.get("name")
        )
        image = push.ImagePush(name, fields.name(pushed.get("tag"))) if name else None
        return push.Event(
            provider=self.name,
            event="push",
            kind=push.Kind.IMAGE_PUSH if image else push.Kind.OTHER,
            repository=name,
            host="docker.io",
            images=(image,) if image else (),
        )
