"""Files of the repository that a compose file names; none outside it, links followed."""

import pathlib
from typing import Any

from build_hook import errors, shapes
from build_hook.compose import entry

_LARGEST = 64 * 1024
_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")


def find(folder: pathlib.Path, wanted: str | None) -> tuple[str, pathlib.Path]:
    """The compose file of a repository: its name, and where it is.

    Raises:
        ComposeError: if there is none, or it leads out of the repository.
    """
    names = (wanted,) if wanted else _NAMES
    for name in names:
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise errors.ComposeError(
                f"{name} leads out of the repository", "Use a file inside it"
            )
        if path.is_file():
            return name, path
    raise errors.ComposeError(
        f"The repository has no {' or '.join(names)}",
        "Commit one, or correct the project's compose.file",
    )


def name_in(folder: pathlib.Path) -> str | None:
    """The compose file that a repository has in its root, if it has one."""
    return next((name for name in _NAMES if (folder / name).is_file()), None)


def variables(one: entry.Entry, given: Any) -> dict[str, str]:
    """What the files of ``env_file`` say; a later one wins."""
    items: list[Any] = given if shapes.is_list(given) else [given]
    found: dict[str, str] = {}
    for item in items:
        rule: dict[str, Any] = item if shapes.is_mapping(item) else {"path": item}
        path = _inside(one, str(rule.get("path", "")))
        if path.is_file():
            found |= _read(one, path)
        elif rule.get("required", True) is not False:
            raise one.wrong("env_file", what=f"the repository has no {rule.get('path')}")
    return found


def _inside(one: entry.Entry, name: str) -> pathlib.Path:
    path = (one.folder / name).resolve()
    if not path.is_relative_to(one.root.resolve()) or "\0" in name:
        raise one.refused("env_file", f"the file {name} outside of the repository", own="env_file")
    return path


def _read(one: entry.Entry, path: pathlib.Path) -> dict[str, str]:
    if path.stat().st_size > _LARGEST:
        raise one.wrong("env_file", what=f"{path.name} is larger than {_LARGEST // 1024} KiB")
    found: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        key, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and key and not key.startswith("#"):
            found[key.strip()] = _unquoted(value.strip())
    return found


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value.partition(" #")[0].rstrip()
