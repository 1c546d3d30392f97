"""Images of ours, found by their labels, and the room for more."""

import contextlib
import dataclasses
import http
import pathlib
import shutil
from typing import Any

import docker.errors

from build_hook import errors, labels, part
from build_hook.deploy import engine, pulled


@dataclasses.dataclass(frozen=True, slots=True)
class Image:
    """An image of ours: what a build made, or pulled.

    ``build`` is 0 where it may be several builds' (made for a service); ``unit`` is the service
    that it was pulled for.
    """

    id: str
    project: str
    build: int
    is_pulled: bool = False
    unit: str = ""


class Images:
    """The images of one instance."""

    def __init__(self, docker_engine: engine.Engine) -> None:
        self._engine = docker_engine
        self._pulled = pulled.Pulled(docker_engine)

    def all(self, of: str | None = None) -> list[Image]:
        """All images of this instance, or of one of its projects, oldest build first."""
        with self._engine.speaking("list images"):
            found = self._engine.api.images(filters=self._engine.ours(of))
        named = [(entry["Id"], entry["Labels"]) for entry in found]
        images = [Image(i, n[labels.PROJECT], int(n.get(labels.BUILD, 0))) for i, n in named]
        images += [
            Image(p.id, part.root(p.project), p.build, is_pulled=True, unit=p.project)
            for p in self._pulled.all(of)
        ]
        return sorted(images, key=lambda image: image.build)

    def exists(self, image: str) -> bool:
        """Whether the engine has an image of that id."""
        with self._engine.speaking("look at an image"):
            try:
                self._engine.api.inspect_image(image)
            except docker.errors.NotFound:
                return False
        return True

    def are_alike(self, one: str, other: str) -> bool:
        """Whether two images hold the same files and settings, our labels apart."""
        return self._content(one) == self._content(other)

    def _content(self, image: str) -> tuple[object, dict[str, object]]:
        with self._engine.speaking("look at an image"):
            found: dict[str, Any] = self._engine.api.inspect_image(image)
        config = {
            key: value
            for key, value in found["Config"].items()
            if key not in ("Labels", "Image", "Hostname")
        }
        named: dict[str, str] = found["Config"].get("Labels") or {}
        theirs = {k: v for k, v in named.items() if not k.startswith(labels.PREFIX)}
        return found["RootFS"]["Layers"], {**config, "Labels": theirs}

    def remove(self, image: Image) -> bool:
        """Remove an image with its tags; False if a container still needs it."""
        if image.is_pulled:
            return self._pulled.remove(pulled.Tagged(image.id, image.unit, image.build))
        with self._engine.speaking("remove an image"):
            try:
                self._engine.api.remove_image(image.id, force=True)
            except docker.errors.NotFound:
                return True
            except docker.errors.APIError as error:
                if error.status_code == http.HTTPStatus.CONFLICT:
                    return False
                raise
        return True


def require_space(folder: pathlib.Path, megabytes: int) -> None:
    """Refuse to build where less than this is free.

    Raises:
        DiskFullError: if there is less.
    """
    with contextlib.suppress(FileNotFoundError):  # a remote engine's folder is not ours to see
        free = shutil.disk_usage(folder).free // 2**20
        if free < megabytes:
            raise errors.DiskFullError(
                f"Only {free} MiB are free in {folder}, a build needs {megabytes}",
                "Make room (build-hook gc removes what no roll-back needs), then: "
                "build-hook deploy; or lower min_free_mb",
            )
