"""How the projects fare, as the product keeps it: what serves and how the last build ended."""

import contextlib
import dataclasses

from charms.docker_build_hook.v0 import dockerfile

from build_hook import errors, holds, part, registry, settings, standing
from build_hook.deploy import condition
from build_hook.store import builds

PATIENCE = 5.0  # seconds for another process's transaction; an event must not wait for long


@dataclasses.dataclass(frozen=True)
class Fate:
    """One project: the build that serves, the last one asked for, what stands in the way."""

    serving: dockerfile.Outcome | None = None
    last: dockerfile.Outcome | None = None
    problem: str | None = None

    @property
    def failure(self) -> str | None:
        """Why the last build is not what serves; None if all is well or still under way."""
        if self.last is None or self.last.phase not in ("failed", "rolled-back"):
            return None
        return f"build {self.last.build} {self.last.phase}: {self.last.reason or 'no reason'}"


def of_all(options: settings.Settings, present: registry.Registry) -> dict[str, Fate]:
    """The fates of the registered projects; none if the product's database cannot tell."""
    if not present.projects or not options.database.exists():
        return {}
    wrong = condition.read(options.run)
    try:
        with contextlib.closing(builds.Builds(options.database, patience=PATIENCE)) as store:
            found = list(standing.look(present.projects, store, wrong, holds.now(options, store)))
    except errors.StoreError:
        return {}
    return {each.project.name: _fate(each) for each in found}


def of_worker(options: settings.Settings, *, web: bool) -> tuple[str, ...]:
    """What the worker says is wrong with no project in particular; of web's port only if asked."""
    known = condition.read(options.run)
    return (known if web else known.model_copy(update={"web": None})).whole


def serving(options: settings.Settings) -> frozenset[str] | None:
    """The projects of which something serves; None if the product's database cannot tell."""
    if not options.database.exists():
        return frozenset()
    try:
        with contextlib.closing(builds.Builds(options.database, patience=PATIENCE)) as store:
            return frozenset(part.root(unit) for unit in store.serving())
    except errors.StoreError:
        return None


def _fate(found: standing.Standing) -> Fate:
    return Fate(_serving(found.live), _last(found.last), found.problem)


def _serving(live: builds.Build | None) -> dockerfile.Outcome | None:
    if live is None:
        return None
    return dockerfile.Outcome(
        build=live.id, phase="live", commit=live.commit, finished=live.finished
    )


def _last(build: builds.Build | None) -> dockerfile.Outcome | None:
    if build is None:
        return None
    return dockerfile.Outcome(build=build.id, phase=str(build.phase), reason=build.reason)
