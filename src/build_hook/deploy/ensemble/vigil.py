"""After-care of several services: each is watched like a project, all go back together."""

import functools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from build_hook import errors, project
from build_hook.deploy import containers, job, tally, watch
from build_hook.deploy.ensemble import plan
from build_hook.proxy import fronts

_LOOK_EVERY = 0.2
Check = tuple[str, Callable[[], None]]
# How the published services answered before a build, by PROJECT.SERVICE.
Before = Mapping[str, tally.Tally]


class Vigil:
    """Watches the services of one build; what ``check_stop`` raises goes through."""

    def __init__(self, checks: Sequence[Check], check_stop: Callable[[], None]) -> None:
        self._checks = checks
        self._check_stop = check_stop

    def over(self, seconds: float, is_overtaken: Callable[[], bool]) -> None:
        """Watch for a while; a newer push in the queue ends the watch early.

        Raises:
            WatchError: as soon as one of the services should not serve any longer.
        """
        deadline = time.monotonic() + seconds
        while self._checks and time.monotonic() < deadline and not is_overtaken():
            self.check()
            time.sleep(_LOOK_EVERY)
        self._check_stop()

    def check(self) -> None:
        """Look at each once.

        Raises:
            WatchError: if one of them should not serve any longer.
        """
        self._check_stop()
        for service, look in self._checks:
            try:
                look()
            except errors.WatchError as error:
                raise error.about(f"Service {service}", errors.WatchError) from error


class Vigils:
    """Knows how services answer, before a build and since."""

    def __init__(
        self, tallies: tally.Tallies, proxy: fronts.Fronts, engine: containers.Containers
    ) -> None:
        self._tallies = tallies
        self._proxy = proxy
        self._containers = engine

    def before(self, planned: Iterable[plan.Step]) -> Before:
        """How the published services have answered so far."""
        published = [step.part for step in planned if step.part.ports]
        return {unit.name: self._tallies.count(self._servers(unit)) for unit in published}

    def begin(self, unit: project.Project) -> None:
        """Count a service's answers from now on: it, or one that it asks, is another version."""
        self._tallies.begin(self._servers(unit))

    def over(self, of: job.Job, planned: Iterable[plan.Step], before: Before | None) -> Vigil:
        """A vigil over what a build has replaced, and over what that does to the others.

        Without a version before only that all live, since there is no way back.
        """
        checks: list[Check] = []
        for step in planned:
            rival = self._rival(step, before) if before is not None else None
            if step.new is not None:
                look = functools.partial(self._containers.look, step.new.id)
                checks.append((step.part.service_name, watch.Watch(step.part, look, rival).check))
            elif rival is not None and step.part.ports:
                compare = functools.partial(watch.compare, step.part, rival)
                checks.append((step.part.service_name, compare))
        return Vigil(checks, of.check_cancelled)

    # Private

    def _servers(self, unit: project.Project) -> tally.Servers:
        return self._proxy.servers(unit.name)

    def _rival(self, step: plan.Step, before: Before) -> watch.Rival:
        count = functools.partial(self._tallies.count, self._servers(step.part))
        return watch.Rival(before.get(step.part.name, tally.Tally()), count)
