"""One service is replaced: started, proved, given name and traffic; and back."""

import contextlib
import time
from collections.abc import Callable, Collection, Generator, Iterable

from build_hook import errors, project
from build_hook.deploy import confided, containers, farewell, gate, job
from build_hook.deploy.ensemble import names, plan, vigil
from build_hook.proxy import fronts, places
from build_hook.store import builds

_LOOK_EVERY = 0.1
# What creating and starting a container may take, in seconds.
_STARTING = 30.0


class Swap:
    """Replaces services one at a time; what takes traffic is recorded before it does."""

    def __init__(
        self,
        proxy: fronts.Fronts,
        engine: containers.Containers,
        store: builds.Builds,
        of_names: names.Names,
        vigils: vigil.Vigils,
        farewells: farewell.Farewells,
        secrets: confided.Confided,
    ) -> None:
        self._proxy = proxy
        self._containers = engine
        self._store = store
        self._names = of_names
        self._vigils = vigils
        self._farewells = farewells
        self._confided = secrets

    def replace(self, of: job.Job, step: plan.Step, check_stop: Callable[[], None]) -> None:
        """Start the new version beside the old one, then give it name and traffic.

        Raises:
            BuildHookError: if it did not prove itself, or traffic could not be moved.
        """
        self._farewells.make_room(step.part.name)
        step.new = self._started(of, step, check_stop)
        self._enter(of, builds.Phase.SWITCHING)
        self._give(of, step, step.new)

    def recreate(
        self,
        of: job.Job,
        step: plan.Step,
        published: Iterable[project.Project],
        check_stop: Callable[[], None],
    ) -> None:
        """End the old version, then start the new one; all published requests wait meanwhile.

        Raises:
            BuildHookError: if it did not prove itself; the old version runs again.
        """
        assert step.old is not None  # noqa: S101 - only what runs is recreated
        grace = step.old.project.stop_grace_period
        longest = step.part.drain + grace + step.part.health.timeout + _STARTING
        with self._held(published, longest) as held:
            try:
                self._farewells.make_room(step.part.name, most=0)
                for unit in held:
                    self.drain(of, unit, self._proxy.addresses(unit.name))
                of.has_stopped = True
                self._containers.stop(step.old.container.id, grace)
                self.replace(of, step, check_stop)
            except errors.EngineDownError:
                raise
            except BaseException:
                self.leave(of, step, self.back(of, step))
                raise

    def run_to_end(self, of: job.Job, step: plan.Step, check_stop: Callable[[], None]) -> None:
        """Run a service that the others wait for, such as a migration.

        Raises:
            GateError: if it fails, or takes longer than its ``health.timeout``.
        """
        started = self._created(of, step)
        deadline = time.monotonic() + step.part.health.timeout
        while True:
            check_stop()
            found = self._containers.look(started.id)
            if found is None or (not found.is_running and found.exit_code != 0):
                raise _failed(step, found)
            if not found.is_running:
                for line in self._containers.last_lines(found.id):
                    of.log(f"  {line}")
                self._containers.remove(found.id)
                return
            if time.monotonic() > deadline:
                raise errors.GateError(
                    f"Service {step.part.service_name} did not end in "
                    f"{step.part.health.timeout:g} s",
                    "Raise health.timeout below its x-build-hook if it only needs longer",
                )
            time.sleep(_LOOK_EVERY)

    def keep(self, step: plan.Step) -> None:
        """Leave a service running; its published ports may have changed."""
        if step.old is None:
            return
        self._names.give(step.old.container)
        if step.part.ports:
            self._proxy.switch(places.Target(step.part, step.old.container.addresses))
            self._vigils.begin(step.part)

    def back(self, of: job.Job, step: plan.Step) -> set[str]:
        """Give name and traffic to what served before; nothing happens if it still has them.

        Returns:
            The addresses that were left, where requests may still be under way.

        Raises:
            BuildHookError: if what served before is gone, or does not start.
        """
        unit = step.part.name
        row = self._store.serving().get(unit)
        if step.old is None:
            if row is not None and row.build == of.build.id:
                self._store.forget_serving(unit)
                self._proxy.clear(unit)
            return set()
        if step.recreates:
            self._stop_new(of, step)
        elif row is not None and row.build != of.build.id:
            return set()
        before = self._containers.look(step.old.container.id)
        if before is None:
            raise errors.WatchError(
                f"The previous container of {unit} was removed by somebody else",
                f"Use: build-hook rollback {of.project.name}",
            )
        if not all(one.is_running for one in before.every):
            before = self._containers.resume(before.id)
        self._store.set_serving(unit, before.build, None)
        self._names.give(before)
        if not step.old.project.ports:
            return set()
        left = self._proxy.addresses(unit)
        self._proxy.switch(places.Target(step.old.project, before.addresses))
        return set(left) - set(before.addresses)

    def leave(self, of: job.Job, step: plan.Step, at: Collection[str]) -> None:
        """Let what a version still answers come to its end, then close what is left."""
        if at:
            self.drain(of, step.part, at)
            self._proxy.close(step.part.name, at)

    def drain(
        self,
        of: job.Job,
        unit: project.Project,
        at: Collection[str],
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        """Wait until sessions on a version's containers have ended, at most ``drain`` seconds.

        A newer push need not wait for sessions that may stay longer.
        """
        deadline = time.monotonic() + unit.drain
        with contextlib.suppress(errors.ProxyError):  # a proxy that died has no sessions left
            while at and (left := self._proxy.sessions(unit.name, at)):
                if time.monotonic() > deadline:
                    of.log(f"{unit.name}: {left} sessions were open after {unit.drain:g} s")
                    return
                if unit.session_grace and of.is_overtaken():
                    return
                meanwhile()
                time.sleep(_LOOK_EVERY)

    # Private

    def _enter(self, of: job.Job, phase: builds.Phase) -> None:
        """Enter a phase, once; where one service has taken traffic, the build is switching."""
        if not self._store.get(of.build.id).phase.takes_traffic:
            of.enter(phase)

    def _created(self, of: job.Job, step: plan.Step) -> containers.Container:
        self._enter(of, builds.Phase.STARTING)
        of.log.headline(f"starting {step.part.service_name}")
        self._containers.make_volumes(step.part)
        self._confided.keep(step.part, of.build.id, of.build.source, of.log)
        return self._containers.start(step.part, of.build.id, of.commit, step.piece.image)

    def _started(
        self, of: job.Job, step: plan.Step, check_stop: Callable[[], None]
    ) -> containers.Container:
        new = self._created(of, step)
        self._enter(of, builds.Phase.GATING)
        try:
            return gate.prove(step.part, lambda: self._containers.look(new.id), check_stop, of.log)
        except errors.GateError as error:
            raise error.about(f"Service {step.part.service_name}", errors.GateError) from error

    def _give(self, of: job.Job, step: plan.Step, new: containers.Container) -> None:
        self._containers.promote(new.id, step.part)
        previous = step.old.container.build if step.old else None
        self._store.set_serving(step.part.name, of.build.id, previous)
        self._names.give(new)
        if step.part.ports:
            self._proxy.switch(places.Target(step.part, new.addresses))
            self._vigils.begin(step.part)
        of.log(
            f"build {of.build.id} serves {step.part.service_name}, at {', '.join(new.addresses)}"
        )

    def _stop_new(self, of: job.Job, step: plan.Step) -> None:
        left = self._containers.of_build(step.part.name, of.build.id)
        if left is not None:
            self._containers.stop(left.id, step.part.stop_grace_period)

    @contextlib.contextmanager
    def _held(
        self, published: Iterable[project.Project], seconds: float
    ) -> Generator[list[project.Project]]:
        """Let the requests of a project wait at the proxy, at most so long."""
        held = [unit for unit in published if self._proxy.addresses(unit.name)]
        try:
            for unit in held:
                self._proxy.hold(unit.name, seconds)
            yield held
        finally:
            for unit in held:
                self._proxy.go(unit.name)


def _failed(step: plan.Step, found: containers.Container | None) -> errors.GateError:
    code = found.exit_code if found else None
    memory = ", killed for its memory" if found and found.out_of_memory else ""
    failed = errors.GateError(
        f"Service {step.part.service_name} ended with exit status "
        f"{'unknown' if code is None else code}{memory}",
        "Read its last lines in the log, fix, push",
    )
    failed.exit_code = code
    return failed
