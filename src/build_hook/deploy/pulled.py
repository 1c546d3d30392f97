"""Images that were pulled: nobody can label them, so that a tag of ours says whose they are.

One tag for each build that runs the image, and a mark where the image was not here before us:
what was here is never removed.
"""

import contextlib
import dataclasses
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import docker
import docker.errors

from build_hook import errors, labels, reference
from build_hook.deploy import engine, manifests

_LOOK_EVERY = 0.2
_MARK = "pulled"
_ENGINE_TIMEOUT = 3600
Line = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Pull:
    """What to pull: the manifest of that digest or tag, for a build of a project or of a service.

    ``as_user`` where the login that the docker command has is to be used.
    """

    name: str
    digest: str
    project: str
    build: int
    timeout: float
    as_user: bool = False

    @property
    def is_fixed(self) -> bool:
        """Whether it stands for the same bytes everywhere: a digest does, a tag does not."""
        return reference.is_digest(self.digest)

    @property
    def reference(self) -> str:
        """The image's name with its digest or tag."""
        return f"{self.name}{'@' if self.is_fixed else ':'}{self.digest}"


@dataclasses.dataclass(frozen=True, slots=True)
class Tagged:
    """An image with the tag of one build; of a service it has PROJECT.SERVICE for a project."""

    id: str
    project: str
    build: int


class Pulled:
    """The pulled images of one instance."""

    def __init__(self, docker_engine: engine.Engine) -> None:
        self._engine = docker_engine

    def pull(
        self,
        what: Pull,
        who: manifests.Login | None,
        log: Callable[[str], None],
        check_stop: Callable[[], None],
    ) -> str:
        """Have an image here, with the tag of its build; the image's id.

        One that is here is taken as it is: a digest stands for the same bytes everywhere.

        Raises:
            PullError: if the registry does not give it, or not in time.
        """
        named = self.find(what.reference)
        if named is not None and what.is_fixed:
            self.keep(named, what.project, what.build)
            return named
        before = self._ids()
        self._fetch(what, who, log, check_stop)
        found = self.find(what.reference)
        if found is None:
            raise errors.PullError(f"The engine pulled {what.reference} and does not have it")
        if found not in before:
            with self._engine.speaking("tag an image"):
                self._engine.api.tag(found, self._repository(_MARK), _hexadecimal(found))
        self.keep(found, what.project, what.build)
        if not what.is_fixed:
            self._give_back(what, named)
        return found

    def keep(self, image: str, of: str, build: int) -> None:
        """Give an image the tag of a build, so that nobody takes it for unused."""
        with self._engine.speaking("tag an image"):
            self._engine.api.tag(image, self._repository(of), str(build))

    def find(self, name: str) -> str | None:
        """The id of an image that is here, by any of its names."""
        with self._engine.speaking("look at an image"):
            try:
                return str(self._engine.api.inspect_image(name)["Id"])
            except docker.errors.NotFound:
                return None

    def all(self, of: str | None = None) -> list[Tagged]:
        """What builds of a project and of its services, or of all, run from."""
        wanted = [self._repository(name) for name in ((of, f"{of}.*") if of else ("*",))]
        with self._engine.speaking("list images"):
            found = self._engine.api.images(filters={"reference": wanted})
        tags = [
            (image["Id"], tag)
            for image in found
            if labels.INSTANCE not in (image["Labels"] or {})  # built here, and found by that
            for tag in image["RepoTags"] or ()
        ]
        return [one for image, tag in tags if (one := self._read(image, tag)) is not None]

    def remove(self, what: Tagged) -> bool:
        """Take a build's tag away, and the image too if we brought it; False if it is in use."""
        tag = labels.image_tag(self._engine.instance, what.project, what.build)
        mark = f"{self._repository(_MARK)}:{_hexadecimal(what.id)}"
        with self._engine.speaking("remove an image"), _gone_is_fine():
            api = self._engine.api
            others = set(api.inspect_image(what.id)["RepoTags"]) - {tag}
            if others != {mark}:  # it was here before us, or somebody needs it
                api.remove_image(tag, noprune=True)
                return True
            if self._is_used(what.id):
                return False
            api.remove_image(what.id, force=True)
        return True

    # Private

    def _is_used(self, image: str) -> bool:
        return bool(self._engine.api.containers(all=True, filters={"ancestor": image}))

    def _ids(self) -> set[str]:
        with self._engine.speaking("list images"):
            return {image["Id"] for image in self._engine.api.images(all=True)}

    def _give_back(self, what: Pull, before: str | None) -> None:
        """Let a tag lead where it led before: it is not ours."""
        with self._engine.speaking("tag an image"):
            if before is None:
                self._engine.api.remove_image(what.reference, noprune=True)
            else:
                self._engine.api.tag(before, what.name, what.digest)

    def _fetch(
        self,
        what: Pull,
        who: manifests.Login | None,
        log: Callable[[str], None],
        check_stop: Callable[[], None],
    ) -> None:
        """Pull in a thread of its own; letting go of its connection stops the engine."""
        lines: queue.SimpleQueue[Line | Exception | None] = queue.SimpleQueue()
        client = docker.APIClient(base_url=self._engine.host, timeout=_ENGINE_TIMEOUT)
        threading.Thread(
            target=_follow, args=(client, what, who, lines.put), name="pull", daemon=True
        ).start()
        deadline = time.monotonic() + what.timeout
        try:
            with self._engine.speaking(f"pull {what.reference}"):
                while (line := _next(lines, check_stop, deadline)) is not None:
                    _note(line, log)
        finally:
            client.close()

    def _repository(self, name: str) -> str:
        return labels.image_tag(self._engine.instance, name, 0).rpartition(":")[0]

    def _read(self, image: str, tag: str) -> Tagged | None:
        """The build that a tag is for; an image of another project has other tags as well."""
        repository, _, build = tag.rpartition(":")
        project = repository.rpartition("/")[2]
        is_ours = repository == self._repository(project) and project != _MARK
        return Tagged(image, project, int(build)) if is_ours and build.isdigit() else None


def _follow(
    client: Any,
    what: Pull,
    who: manifests.Login | None,
    put: Callable[[Line | Exception | None], None],
) -> None:
    auth: dict[str, str] | None = None if what.as_user else {}
    if who is not None:
        auth = {"username": who.username, "password": who.password}
    try:
        for line in client.pull(
            what.name, tag=what.digest, auth_config=auth, stream=True, decode=True
        ):
            put(line)
        put(None)
    except Exception as error:
        put(error)


def _next(
    lines: "queue.SimpleQueue[Line | Exception | None]",
    check_stop: Callable[[], None],
    deadline: float,
) -> Line | None:
    while True:
        check_stop()
        if time.monotonic() > deadline:
            raise errors.PullError(
                "The image was not here in time", "Raise build.timeout, or look at the registry"
            )
        with contextlib.suppress(queue.Empty):
            line = lines.get(timeout=_LOOK_EVERY)
            if isinstance(line, docker.errors.APIError):
                raise _refused(str(line.explanation))
            if isinstance(line, Exception):
                raise line
            return line


def _note(line: Line, log: Callable[[str], None]) -> None:
    if "error" in line:
        raise _refused(str(line["error"]))
    if "progress" not in line:  # bars are for terminals
        log(f"{line.get('id', '')} {line.get('status', '')}".strip())


def _refused(why: str) -> errors.PullError:
    return errors.PullError(
        f"The engine could not pull: {why}",
        "Check the image's name, the login, and the engine's settings for that registry",
    )


def _hexadecimal(image: str) -> str:
    return image.rpartition(":")[2]


def _gone_is_fine() -> contextlib.AbstractContextManager[None]:
    return contextlib.suppress(docker.errors.NotFound)
