"""The settings of a project as they may be shown: values of variables may be secrets."""

import json
from collections.abc import Iterator
from typing import Any

from build_hook import card, project

HIDDEN = "***"
_SECRET = ("environment", "build.args")
# What a project's own scripts said: their words may hold variables as well.
_UNSEEN = {"run_in", "run_line", "asked", "unsaid"}
_NOTHING = "-"


def shown(of: project.Project) -> dict[str, Any]:
    """All settings that are not the defaults."""
    given: dict[str, Any] = of.model_dump(mode="json", exclude_defaults=True, exclude=_UNSEEN)
    return _masked(given, "")


def changes(before: project.Project, after: project.Project) -> tuple[card.Change, ...]:
    """The settings that differ, by their dotted names."""
    old, new = _leaves(before), _leaves(after)
    return tuple(
        card.Change(name=name, before=_text(name, old), after=_text(name, new))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    )


def _leaves(of: project.Project) -> dict[str, Any]:
    given = of.model_dump(mode="json", exclude_defaults=True, exclude=_UNSEEN)
    return dict(_flat(given, ""))


def _flat(given: dict[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    for key, value in given.items():
        name = f"{above}{key}"
        if isinstance(value, dict):
            yield from _flat(value, f"{name}.")  # pyright: ignore[reportUnknownArgumentType]
        else:
            yield name, value


def _text(name: str, among: dict[str, Any]) -> str:
    if name not in among:
        return _NOTHING
    if name.rpartition(".")[0] in _SECRET:
        return HIDDEN
    value = among[name]
    return value if isinstance(value, str) else json.dumps(value)


def _masked(given: dict[str, Any], above: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in given.items():
        name = f"{above}{key}"
        if not isinstance(value, dict):
            found[key] = value
        elif name in _SECRET:
            found[key] = dict.fromkeys(value, HIDDEN)  # pyright: ignore[reportUnknownArgumentType]
        else:
            found[key] = _masked(value, f"{name}.")  # pyright: ignore[reportUnknownArgumentType]
    return found
