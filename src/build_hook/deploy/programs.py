"""Programs that stand in for others while a project's scripts run, and where they are put."""

import pathlib
import shlex
import sys

import build_hook
from build_hook import errors, settings

_SHIM = "build_hook.shim"
_PRODUCT = pathlib.Path(build_hook.__file__).resolve().parent.parent
_PROGRAMS = {"docker": "docker", "build-hook.py": "helper"}


def folder(with_settings: settings.Settings) -> pathlib.Path:
    """The folder of the programs that stand in for others, made new if it is not up to date."""
    place = with_settings.scripts / ".programs"
    place.mkdir(mode=0o755, parents=True, exist_ok=True)
    for name, module in _PROGRAMS.items():
        _write(place / name, module)
    return place


def put_helper(file: pathlib.Path) -> None:
    """Put 2015's helper at its old path; one of another origin is kept beside it.

    Raises:
        SettingsError: if that cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.is_file() and _SHIM not in file.read_text(encoding="utf-8", errors="replace"):
            file.replace(file.with_name(f"{file.name}.before"))
        _write(file, _PROGRAMS["build-hook.py"])
    except OSError as error:
        raise errors.SettingsError(
            f"The helper {file} cannot be written: {error.strerror}",
            "Correct script_helper, or let the user of the worker write there",
        ) from error


def take_helper_away(file: pathlib.Path) -> None:
    """Undo what was put there; what lay at its path before lies there again.

    Raises:
        SettingsError: if that cannot be done.
    """
    before = file.with_name(f"{file.name}.before")
    try:
        if not file.is_file() or _SHIM not in file.read_text(encoding="utf-8", errors="replace"):
            return
        file.unlink()
        if before.exists():
            before.replace(file)
        elif not any(file.parent.iterdir()):
            file.parent.rmdir()
    except OSError as error:
        raise errors.SettingsError(
            f"The helper {file} cannot be removed: {error.strerror}", "Remove it"
        ) from error


def _write(file: pathlib.Path, module: str) -> None:
    """Write a program that runs a module of the shim."""
    # Scripts have a clean environment: where the product is, a variable of the worker's may say.
    # With -P no folder of the repository comes before it.
    code = (
        f"import runpy, sys; sys.path.insert(0, {str(_PRODUCT)!r}); "
        f"runpy.run_module('{_SHIM}.{module}', run_name='__main__', alter_sys=True)"
    )
    argv = shlex.join([sys.executable, "-P", "-c", code])
    text = f'#!/bin/sh\nexec {argv} "$@"\n'
    if file.is_file() and file.read_text(encoding="utf-8") == text:
        return
    draft = file.with_name(f".{file.name}.new")
    draft.write_text(text, encoding="utf-8")
    draft.chmod(0o755)
    draft.replace(file)
