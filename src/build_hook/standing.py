"""How a project stands: what serves, what was built last, what is wrong."""

import dataclasses
from collections.abc import Iterable, Iterator

from build_hook import holds, project
from build_hook.deploy import condition
from build_hook.store import builds


@dataclasses.dataclass(frozen=True, slots=True)
class Standing:
    """One project at one moment."""

    project: project.Project
    live: builds.Build | None
    last: builds.Build | None
    problem: str | None
    warning: str | None
    held: str | None


def look(
    projects: Iterable[project.Project],
    store: builds.Builds,
    wrong: condition.Condition,
    holding: holds.Holds,
) -> Iterator[Standing]:
    """How projects stand now."""
    serving = store.serving()
    for of in projects:
        live = serving.get(of.name)
        yield Standing(
            of,
            live=store.get(live.build) if live else None,
            last=next(iter(store.recent(of.name, 1)), None),
            problem=wrong.projects.get(of.name),
            warning="; ".join(of.warnings) or None,
            held=holding.why(of),
        )
