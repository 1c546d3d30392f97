"""The docker command, as scripts and Compose use it."""

import dataclasses
import os
import pathlib
import subprocess

from build_hook.demo import baseimage
from build_hook.deploy import clients


class CommandError(Exception):
    """A docker command failed."""


def docker(*argv: str) -> str:
    """Run a docker command; what it prints.

    Raises:
        CommandError: if it fails.
    """
    return _run(clients.find().argv[0], *argv)


@dataclasses.dataclass(frozen=True, slots=True)
class Images:
    """Builds images of one instance as ``docker compose build`` does: BuildKit, with its cache."""

    instance: str
    base: str

    @property
    def label(self) -> str:
        """What everything made here is found by; containers have it from their image."""
        return f"{baseimage.LABEL}={self.instance}"

    def build(self, folder: pathlib.Path, tag: str) -> None:
        """Build a folder.

        Raises:
            CommandError: if the build fails.
        """
        _run(
            *clients.find().argv, f"--build-arg=BASE={self.base}", "-q", f"--label={self.label}",
            "-t", tag, str(folder),
        )  # fmt: skip


def _run(*argv: str) -> str:
    done = subprocess.run(
        argv,
        env=os.environ | dict(clients.find().env),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CommandError(f"{' '.join(argv[1:3])}: {done.stderr.strip()}")
    return done.stdout.strip()
