"""What the worker tells the programs in a build's scripts, and what they tell the worker.

A folder per build, whose path is in ``BUILD_HOOK_SCRIPT``: that variable also marks all processes
of the scripts. When the folder is gone the build is over, and nothing more may be started for it.
"""

import dataclasses
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

VARIABLE = "BUILD_HOOK_SCRIPT"
_CONTEXT, _STARTED, _PROBLEM = "context.json", "started.json", "problem"


@dataclasses.dataclass(frozen=True, slots=True)
class Context:
    """A build, as its scripts' programs need it.

    ``container`` is the name of the container to make, ``serving`` the id of the one that serves
    and ``known_as`` the name that the scripts gave it; ``alone`` says that two versions must not
    run at once. ``no_proxy`` is NO_PROXY of the steps, the mark of the build its last name.
    """

    docker: str
    project: str
    image_tag: str
    labels: Mapping[str, str]
    container: str
    network: str
    no_proxy: str
    serving: str | None = None
    known_as: str | None = None
    alone: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Started:
    """The container that the scripts started, the words of their ``docker run``, and its name.

    ``folder`` is where they said them: paths may begin there.
    """

    container: str
    argv: tuple[str, ...]
    known_as: str | None
    folder: str


class Spool:
    """One build's folder."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder

    def open(self, context: Context) -> None:
        """Begin."""
        self.folder.mkdir(mode=0o700, parents=True)
        self._write(_CONTEXT, dataclasses.asdict(context))

    def context(self) -> Context:
        """What the worker said.

        Raises:
            OSError: if the build is over.
        """
        return Context(**self._read(_CONTEXT))

    @property
    def files(self) -> pathlib.Path:
        """The files whose lines the version took, by their numbers."""
        return self.folder / "files"

    def keep(self, number: int, file: str) -> bool:
        """Keep what a file holds now; False if that cannot be read, or would be used up by it."""
        self.files.mkdir(mode=0o700, exist_ok=True)
        kept = self.files / str(number)
        kept.unlink(missing_ok=True)
        try:
            if not pathlib.Path(file).is_file():
                return False
            content = pathlib.Path(file).read_bytes()
        except OSError:
            return False
        kept.touch(mode=0o600)
        kept.write_bytes(content)
        return True

    def tell_started(self, started: Started) -> None:
        """Say what was started."""
        self._write(_STARTED, dataclasses.asdict(started))

    def started(self) -> Started | None:
        """What was started; None if nothing was."""
        try:
            said = self._read(_STARTED)
        except FileNotFoundError:
            return None
        return Started(said["container"], tuple(said["argv"]), said["known_as"], said["folder"])

    def tell_problem(self, text: str) -> None:
        """Say what went wrong; the first word stays."""
        try:
            with (self.folder / _PROBLEM).open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError:
            return

    def problem(self) -> str | None:
        """What went wrong first."""
        try:
            return (self.folder / _PROBLEM).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def _read(self, name: str) -> dict[str, Any]:
        return json.loads((self.folder / name).read_text(encoding="utf-8"))

    def _write(self, name: str, value: dict[str, Any]) -> None:
        draft = self.folder / f".{name}.{os.getpid()}"
        draft.write_text(json.dumps(value), encoding="utf-8")
        draft.replace(self.folder / name)


def of_this_build() -> Spool | None:
    """The folder of the build whose scripts run us; None if somebody runs us by hand."""
    folder = os.environ.get(VARIABLE)
    return Spool(pathlib.Path(folder)) if folder else None
