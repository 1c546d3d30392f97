"""How a project stands: what serves, what was built last, what is wrong."""

import dataclasses
from collections.abc import Iterable, Iterator

from build_hook import deployed, holds, project
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
            warning=_warning(of, store.get(live.build) if live else None),
            held=holding.why(of),
        )


def _warning(of: project.Project, live: builds.Build | None) -> str | None:
    """What the operator may not know, or may have to answer for."""
    said = list(of.warnings)
    if of.strategy == "script" and live is not None and live.settings:
        alone = deployed.Deployed.model_validate_json(live.settings).alone
        said += [f"its old version stops before the new one starts: {alone}"] if alone else []
    return "; ".join(said) or None
