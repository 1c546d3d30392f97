"""The Python that charms are packed for: what their base has, found here or fetched."""

import dataclasses
import os
import pathlib
import subprocess
import sys

WANTED = "python3.12"  # what the charms' base has
_UV = pathlib.Path(sys.executable).parent / "uv"
_FETCH_SECONDS = 300


@dataclasses.dataclass(frozen=True)
class Interpreter:
    """A real interpreter; a version manager's shim is none."""

    folder: pathlib.Path
    name: str = WANTED

    @property
    def program(self) -> pathlib.Path:
        """The program itself."""
        return self.folder / self.name

    @property
    def prefix(self) -> pathlib.Path:
        """Where it is installed."""
        return self.folder.parent

    @property
    def is_wanted(self) -> bool:
        """Whether it is of the base's version."""
        return self.name == WANTED


def wanted(shop: pathlib.Path) -> Interpreter | None:
    """One of the base's version, fetched into ``shop`` if there is none and it can be had."""
    return _found(shop) or _fetched(shop)


def own() -> Interpreter:
    """The distribution's, whatever its version."""
    program = pathlib.Path("/usr/bin/python3").resolve()
    return Interpreter(program.parent, program.name)


def _found(shop: pathlib.Path) -> Interpreter | None:
    home = pathlib.Path.home()
    folders = [pathlib.Path(entry) for entry in os.environ["PATH"].split(os.pathsep) if entry]
    folders += sorted(home.glob(".pyenv/versions/3.12*/bin"))
    for versions in (home / ".local/share/uv/python", shop):
        folders += sorted(versions.glob("cpython-3.12*/bin"))
    programs = (folder / WANTED for folder in folders)
    return next((real for each in programs if each.exists() and (real := _real(each))), None)


def _fetched(shop: pathlib.Path) -> Interpreter | None:
    argv = [str(_UV), "python", "install", "--no-bin", "--install-dir", str(shop), "3.12"]
    try:
        subprocess.run(argv, check=True, capture_output=True, timeout=_FETCH_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return None
    return _found(shop)


def _real(program: pathlib.Path) -> Interpreter | None:
    """What a name on the path stands for, if it can make environments."""
    argv = [str(program), "-c", "import venv, ensurepip, sys; print(sys.base_prefix)"]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    return Interpreter(pathlib.Path(done.stdout.strip(), "bin")) if not done.returncode else None
