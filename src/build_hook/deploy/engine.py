"""The Docker engine: one connection, and its errors as ours."""

import collections.abc
import contextlib
import datetime
import pathlib
import re
import time
from typing import Any

import docker
import docker.errors
import requests

from build_hook import errors, labels

_TIMEOUT = 60
_LOOK_EVERY = 1.0


class Engine:
    """One Docker engine, seen through the labels of one instance (state folder)."""

    def __init__(self, host: str, instance: str) -> None:
        self.host = host
        self.instance = instance
        self._client: docker.DockerClient | None = None

    @property
    def api(self) -> Any:
        """The engine's API, as the Docker SDK has it; call it inside ``speaking``."""
        if self._client is None:
            self._client = docker.DockerClient(base_url=self.host, timeout=_TIMEOUT)
        return self._client.api

    def ping(self) -> None:
        """Make sure that the engine takes connections: one that is stopping has old ones left.

        Raises:
            EngineDownError: if it does not.
        """
        with self.speaking("reach the engine"):
            fresh = docker.APIClient(base_url=self.host, timeout=_TIMEOUT)
            with contextlib.closing(fresh):
                fresh.ping()

    def wait(self, tell: collections.abc.Callable[[str], None]) -> None:
        """Return once it takes connections; ``tell`` hears why it does not yet."""
        while True:
            try:
                self.ping()
                return
            except errors.EngineDownError as error:
                tell(str(error))
                time.sleep(_LOOK_EVERY)

    def data_root(self) -> pathlib.Path:
        """The folder that the engine keeps its data in."""
        with self.speaking("ask the engine"):
            return pathlib.Path(self.api.info()["DockerRootDir"])

    def version(self) -> tuple[int, int]:
        """Major and minor version of the engine."""
        with self.speaking("ask the engine"):
            found = re.match(r"(\d+)\.(\d+)", self.api.version()["Version"])
        return (int(found[1]), int(found[2])) if found else (0, 0)

    def keeps_platforms(self) -> bool:
        """Whether it keeps an image for several platforms: containerd's image store does."""
        with self.speaking("ask the engine"):
            store: list[list[str]] = self.api.info().get("DriverStatus") or []
        return ["driver-type", "io.containerd.snapshotter.v1"] in store

    def ours(self, project: str | None = None) -> dict[str, list[str]]:
        """The filter that finds this instance's objects, or one project's (or service's)."""
        named = (
            {labels.INSTANCE: self.instance}
            if project is None
            else labels.of_unit(self.instance, project)
        )
        return {"label": [f"{key}={value}" for key, value in named.items()]}

    def our_containers(self, project: str | None = None) -> dict[str, list[str]]:
        """The same of containers: what somebody else runs from our image has no role."""
        return {"label": [*self.ours(project)["label"], labels.ROLE]}

    @contextlib.contextmanager
    def speaking(self, what: str) -> collections.abc.Generator[None]:
        """Turn the SDK's errors into ours.

        Raises:
            ContainerError: if the engine refused.
            EngineDownError: if it did not answer.
        """
        try:
            yield
        except docker.errors.APIError as error:
            said = str(error.explanation or error)
            raise errors.ContainerError(
                f"The engine could not {what}: {said}", _hint(said)
            ) from error
        except (requests.RequestException, docker.errors.DockerException) as error:
            self._client = None
            raise errors.EngineDownError(
                f"The Docker engine does not answer at {self.host}",
                "Start it (systemctl start docker); what waits for it goes on by itself",
            ) from error


def _hint(said: str) -> str:
    """What to do about a refusal of the engine's."""
    if "IPv4 address pool" in said:  # it has some thirty, and each network takes one
        return (
            "Remove networks that nobody uses (docker network prune), or give the engine more "
            "with default-address-pools in its daemon.json; then: build-hook deploy"
        )
    return "Correct the project's run settings, then: build-hook deploy"


def unix_time(text: str) -> float:
    """Read Docker's RFC 3339 times, which have nanoseconds where Python takes microseconds."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    try:
        moment = datetime.datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}+00:00")
    except ValueError:
        return 0.0
    return moment.timestamp()
