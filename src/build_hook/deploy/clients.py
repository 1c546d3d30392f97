"""The ``docker`` command that builds with BuildKit, and what it is able to do."""

import dataclasses
import functools
import os
import re
import subprocess
from collections.abc import Mapping

from build_hook import errors

Version = tuple[int, int]
_WITHOUT_BUILDKIT: Version = (23, 0)
_SPEAKS_JSON: Version = (0, 13)


@dataclasses.dataclass(frozen=True, slots=True)
class Client:
    """A ``docker`` command that can build with BuildKit; ``buildx`` is None without the plugin.

    ``speaks_json`` if it tells its progress as JSON.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    buildx: Version | None = None
    speaks_json: bool = False

    def require_buildx(self, what: str, since: Version = (0, 8)) -> None:
        """Make sure that a key of a build can be honoured.

        Raises:
            ImageError: if it needs buildx, or a newer one.
        """
        if self.buildx is None or self.buildx < since:
            here = "is not here" if self.buildx is None else f"is {_text(self.buildx)} here"
            raise errors.ImageError(
                f"build.{what} needs buildx {_text(since)} or newer, which {here}",
                f"Install docker-buildx, or take build.{what} out of the project",
            )


@functools.cache
def find() -> Client:
    """Find a ``docker`` that can build: with buildx, or one that has BuildKit built in.

    Clients from 23.0 on build with the buildx plugin or not at all; older ones need
    ``DOCKER_BUILDKIT=1``. Several may be on the PATH.

    Raises:
        ImageError: if there is none.
    """
    for folder in os.get_exec_path():
        docker = os.path.join(folder, "docker")
        if not os.access(docker, os.X_OK):
            continue
        buildx = _version(docker, "buildx", "version")
        if buildx is not None:
            speaks_json = buildx >= _SPEAKS_JSON or _offers_json(docker)
            return Client((docker, "buildx", "build", "--load"), {}, buildx, speaks_json)
        version = _version(docker, "--version")
        if version is not None and version < _WITHOUT_BUILDKIT:
            return Client((docker, "build"), {"DOCKER_BUILDKIT": "1"})
    raise errors.ImageError(
        "No docker command on this machine can build with BuildKit",
        "Install the package docker-buildx (Ubuntu), docker-buildx-plugin (upstream) or "
        "docker.io (Debian 12)",
    )


def _version(*argv: str) -> Version | None:
    """The version that a command names; None if it fails."""
    done = subprocess.run(argv, capture_output=True, check=False, text=True, timeout=20)
    if done.returncode:
        return None
    found = re.search(r"\bv?(\d+)\.(\d+)", done.stdout)
    return (int(found[1]), int(found[2])) if found else None


def _offers_json(docker: str) -> bool:
    """Whether its help says so, as that of a version which was built without its number."""
    argv = (docker, "buildx", "build", "--help")
    done = subprocess.run(argv, capture_output=True, check=False, text=True, timeout=20)
    return "rawjson" in done.stdout


def _text(version: Version) -> str:
    return f"{version[0]}.{version[1]}"
