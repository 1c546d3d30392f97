"""All services of a build go live, in the order of what they need, or none of them stays."""

import contextlib
import time
from collections.abc import Callable, Generator

from build_hook import errors, part, settings
from build_hook.deploy import confided, containers, cost, farewell, job, tally
from build_hook.deploy.ensemble import names, plan, swap, vigil
from build_hook.proxy import fronts
from build_hook.store import builds, parts

# Who looked up a name just before it moved still connects to the old version.
_LOOKED_UP = 1.0


class Ensemble:
    """Deploys compose projects."""

    def __init__(
        self,
        with_settings: settings.Settings,
        proxy: fronts.Fronts,
        engine: containers.Containers,
        store: builds.Builds,
        farewells: farewell.Farewells,
    ) -> None:
        self._proxy = proxy
        self._accounts = cost.Accountant(with_settings)
        self._containers = engine
        self._store = store
        self._farewells = farewells
        self._parts = parts.Parts(with_settings.database)
        of_names = names.Names(engine, with_settings.instance)
        self._vigils = vigil.Vigils(tally.Tallies(with_settings), proxy, engine)
        self._confided = secrets = confided.Confided(with_settings)
        self._swap = swap.Swap(proxy, engine, store, of_names, self._vigils, farewells, secrets)

    def deploy(self, of: job.Job) -> None:
        """Bring the parts of a build live, one after the other.

        Raises:
            BuildHookError: if one of them failed; all that served before serves again.
            WatchError: if one of them failed after all had taken over; likewise.
        """
        before = self._store.serving().get(of.project.name)
        planned = self._plan(of, before)
        answered = self._vigils.before(planned) if before else None
        with self._account(of, planned):
            self._bring_all(of, planned)
            self._store.set_serving(of.project.name, of.build.id, before.build if before else None)
            of.release()
            of.enter(builds.Phase.DRAINING)
            watched = self._vigils.over(of, planned, answered)
            with self._way_back(of, planned):
                self._drain(of, planned, watched.check)
        self._after(of, planned, watched)

    def resume(self, of: job.Job) -> None:
        """Finish a build whose parts all serve, after a crash.

        Raises:
            WatchError: if one of them failed; all that served before serves again.
        """
        row = self._store.serving()[of.project.name]
        planned = plan.under_way(
            of.build.id,
            self._parts.of(of.build.id),
            self._parts.of(row.previous) if row.previous else (),
            self._store.serving(),
            self._containers.all(of.project.name),
        )
        # nothing is known of how the version before answered where a crash was since
        self._after(of, planned, self._vigils.over(of, planned, {} if row.previous else None))

    def forget(self, project_name: str) -> None:
        """Forget the services of a project that has a compose file no longer."""
        for unit in self._store.serving():
            if unit != project_name and part.root(unit) == project_name:
                self._store.forget_serving(unit)

    # Private

    def _plan(self, of: job.Job, before: builds.Serving | None) -> list[plan.Step]:
        planned = plan.steps(
            self._parts.of(of.build.id),
            self._parts.of(before.build) if before else (),
            self._store.serving(),
            self._containers.all(of.project.name),
            lambda one, since: self._confided.is_told(one, since, of.build.source),
        )
        for step in planned:
            what = "replaced" if step.replaces else "unchanged, runs on"
            of.log(f"service {step.part.service_name}: {what}")
            if before and not step.replaces:
                self._confided.carry(step.part, of.build.id, before.build)
        return planned

    def _bring_all(self, of: job.Job, planned: list[plan.Step]) -> None:
        done: list[plan.Step] = []
        try:
            for step in planned:
                done.append(step)
                self._bring(of, step, planned)
        except errors.EngineDownError:
            raise
        except BaseException:
            self._back(of, done)
            raise
        if not self._has_switched(of):
            of.enter(builds.Phase.SWITCHING)

    def _bring(self, of: job.Job, step: plan.Step, planned: list[plan.Step]) -> None:
        if not step.replaces:
            self._swap.keep(step)
            return
        check_stop = _nobody if self._has_switched(of) else of.check_stop
        if step.part.ends:
            self._swap.run_to_end(of, step, check_stop)
        elif step.recreates:
            published = [one.part for one in planned if one.part.ports]
            self._swap.recreate(of, step, published, check_stop)
        else:
            self._swap.replace(of, step, check_stop)

    def _has_switched(self, of: job.Job) -> bool:
        return self._store.get(of.build.id).phase.takes_traffic

    def _back(self, of: job.Job, done: list[plan.Step]) -> None:
        """Undo what was done, the last first; what cannot be undone stops nothing else."""
        left: list[tuple[plan.Step, set[str]]] = []
        for step in reversed(done):
            if step.part.ends or not step.replaces:
                continue
            try:
                left.append((step, self._swap.back(of, step)))
            except errors.BuildHookError as error:
                of.log(f"{step.part.service_name} could not be taken back: {error}")
        for step, addresses in left:
            self._swap.leave(of, step, addresses)

    @contextlib.contextmanager
    def _way_back(self, of: job.Job, planned: list[plan.Step]) -> Generator[None]:
        try:
            yield
        except errors.WatchError:
            row = self._store.serving().get(of.project.name)
            if row is not None and row.previous is not None:
                of.log(f"moving all services back to build {row.previous}")
                self._store.set_serving(of.project.name, row.previous, None)
                self._back(of, planned)
            raise

    def _after(self, of: job.Job, planned: list[plan.Step], watched: vigil.Vigil) -> None:
        """Watch the new versions, then let the old ones go."""
        of.enter(builds.Phase.WATCHING)
        with self._way_back(of, planned):
            watched.over(of.project.watch, of.is_overtaken)
        for step in planned:
            if step.replaces:
                self._retire(of, step)
        self._dismiss(of, {step.part.name for step in planned})
        of.end(builds.Phase.LIVE)

    def _drain(self, of: job.Job, planned: list[plan.Step], meanwhile: Callable[[], None]) -> None:
        replaced = [step for step in planned if step.replaces and step.old is not None]
        if any(not step.recreates for step in replaced):
            time.sleep(_LOOKED_UP)
        for step in replaced:
            if step.part.ports and step.old is not None:
                self._swap.drain(of, step.part, step.old.container.addresses, meanwhile)

    def _retire(self, of: job.Job, step: plan.Step) -> None:
        """Stop the old container and keep it; remove those before it.

        One that long sessions hold, and that may wait for them, is stopped later.
        """
        old, unit = step.old, step.part
        if old is not None and not self._farewells.begin(of, old, unit):
            self._proxy.close(unit.name, old.container.addresses)
            self._containers.stop(old.container.id, old.project.stop_grace_period)
        kept = {of.build.id, old.container.build if old else None}
        kept |= self._farewells.builds(unit.name)
        for other in self._containers.all(unit.name):
            if other.build not in kept:
                self._containers.remove(other.id)

    def _dismiss(self, of: job.Job, here: set[str]) -> None:
        """Remove the services that the file no longer has, and what ran before it had any."""
        for box in self._containers.all(of.project.name):
            if not box.service:
                self._containers.remove(box.id)
        for unit in self._store.serving():
            if "." not in unit or part.root(unit) != of.project.name or unit in here:
                continue
            of.log(f"{unit} is no longer in the file: removed")
            self._store.forget_serving(unit)
            self._proxy.clear(unit)
            for box in self._containers.all(unit):
                self._containers.remove(box.id)

    @contextlib.contextmanager
    def _account(self, of: job.Job, planned: list[plan.Step]) -> Generator[None]:
        """Measure what the users of all published ports pay for the block."""
        costs: list[cost.Cost] = []
        with contextlib.ExitStack() as stack:
            for step in planned:
                if step.replaces and step.part.ports and step.old is not None:
                    stack.enter_context(self._accounts.account(step.part, costs.append))
            yield
        spent = cost.total(costs)
        if spent is not None:
            of.charge(spent)


def _nobody() -> None:
    """Too late to stop: some services have taken traffic."""
