"""What comes first: ``depends_on``, in both its forms."""

import dataclasses
import graphlib
from collections.abc import Mapping
from typing import Any

from build_hook import shapes
from build_hook.compose import document, entry

_CONDITIONS = ("service_started", "service_healthy", "service_completed_successfully")


@dataclasses.dataclass(frozen=True, slots=True)
class Needs:
    """What a service waits for; every one has passed its gate by then.

    ``ended`` are those that must have run to their end, ``restarts_with`` those whose
    replacement replaces this one too, ``optional`` those that may be missing.
    """

    after: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    restarts_with: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


def needs(one: entry.Entry, given: Any) -> Needs:
    """Read ``depends_on``.

    Raises:
        ComposeError: if it is neither a list of services nor a mapping with known conditions.
    """
    if shapes.is_list(given):
        names: list[Any] = given
        return Needs(after=tuple(str(name) for name in names))
    if not shapes.is_mapping(given):
        raise one.wrong("depends_on", what="depends_on must be a list or a mapping")
    entries: dict[str, Any] = given
    found = {name: _rule(one, name, rule) for name, rule in entries.items()}
    return Needs(
        after=tuple(found),
        ended=tuple(n for n, rule in found.items() if rule.get("condition") == _CONDITIONS[2]),
        restarts_with=tuple(n for n, rule in found.items() if rule.get("restart") is True),
        optional=tuple(n for n, rule in found.items() if rule.get("required") is False),
    )


def _rule(one: entry.Entry, name: str, rule: Any) -> dict[str, Any]:
    rules: dict[str, Any] = rule if shapes.is_mapping(rule) else {}
    if rules.get("condition", _CONDITIONS[0]) not in _CONDITIONS:
        raise one.wrong(
            "depends_on", name, what=f"the condition {rules['condition']!r} is not known",
            hint=f"Use one of {', '.join(_CONDITIONS)}",
        )  # fmt: skip
    return rules


def sort(of: document.Document, known: Mapping[str, Needs]) -> tuple[str, ...]:
    """The services in an order in which each comes after what it needs.

    Raises:
        ComposeError: if that cannot be, or something is needed that is not there.
    """
    graph: dict[str, list[str]] = {}
    for name, needed in known.items():
        graph[name] = [n for n in needed.after if n in known or n not in needed.optional]
        missing = next((n for n in graph[name] if n not in known), None)
        if missing is not None:
            raise of.error(
                ("services", name, "depends_on"),
                f"depends on {missing}, which is not there or not among the profiles that run",
                "Correct depends_on, or have the operator add the profile to compose.profiles",
            )
    try:
        return tuple(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        circle: list[str] = error.args[1]
        raise of.error(
            ("services", circle[0], "depends_on"),
            f"services wait for each other: {' -> '.join(circle)}",
            "Take one of these dependencies out",
        ) from error
