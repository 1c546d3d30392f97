"""After a crash, a reboot or an upgrade: adopt what serves, finish or undo what was under way.

Before ``switching`` the candidate is removed and the build starts again; from ``switching`` on
it is finished, or traffic goes back. What is left and ours is removed. Traffic never stops: the
proxy serves from its own file all the while.
"""

import dataclasses
import logging
from collections.abc import Sequence

from build_hook import card, errors, part, project, settings
from build_hook.deploy import containers, farewell, job, leftovers
from build_hook.deploy.ensemble import rescue
from build_hook.proxy import places
from build_hook.store import builds, cards

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Unfinished:
    """A build that had begun to take traffic, and its container; None if it has several."""

    build: builds.Build
    container: containers.Container | None


class Recovery:
    """What the worker does once, before it takes new work."""

    def __init__(
        self,
        with_settings: settings.Settings,
        store: builds.Builds,
        engine: containers.Containers,
        farewells: farewell.Farewells,
    ) -> None:
        self._store = store
        self._farewells = farewells
        self._containers = engine
        self._known: dict[tuple[str, int], containers.Container] | None = None
        self._rescue = rescue.Rescue(with_settings, store, engine)

    def sort_out(self) -> list[Unfinished]:
        """Undo what can start again; return what has to be finished.

        A build that cannot be sorted out fails: it must not keep the worker from all others.
        """
        unfinished: list[Unfinished] = []
        running = self._store.running()
        boxes = self._boxes() if running else {}
        for build in running:
            try:
                unfinished += self._sort_out(build, boxes)
            except (errors.EngineDownError, errors.StoreError):
                raise
            except Exception as error:
                _log.exception("%s: build %s after a crash", build.project, build.id)
                reason = f"{build.phase}: it could not be sorted out after a crash: {error}"
                self._store.fail(build.id, reason, retry=True)
        return unfinished

    def adopt(self, registered: Sequence[project.Project]) -> dict[str, places.Target]:
        """Make sure that what should serve runs; return where it does, by project."""
        targets: dict[str, places.Target] = {}
        known = {p.name: p for p in registered}
        boxes = self._boxes()
        serving = self._store.serving()
        for name, row in serving.items():
            of = known.get(part.root(name))
            deployed = self._rescue.deployed(name, serving, of) if of else None
            if deployed is None:
                continue
            box = boxes.get((name, row.build))
            addresses = self._running_addresses(name, box)
            if any(addresses):
                targets[name] = places.Target(deployed, addresses)
        return targets

    def sweep(self) -> None:
        """Remove our containers that nothing refers to."""
        boxes = self._boxes().values()
        leftovers.sweep(boxes, self._store, self._farewells, self._containers)

    # Private

    def _sort_out(
        self, build: builds.Build, boxes: dict[tuple[str, int], containers.Container]
    ) -> list[Unfinished]:
        candidate = boxes.get((build.project, build.id))
        if self._rescue.has(build):
            return self._sort_out_services(build, boxes)
        if not build.phase.takes_traffic:
            self._start_again(build, candidate)
        elif self._was_taken_back(build):
            self._take_back(build, candidate)
        elif candidate is not None and candidate.is_running:
            self._prefer(build)
            return [Unfinished(build, candidate)]
        else:
            self._give_up(build)
        return []

    def _sort_out_services(
        self, build: builds.Build, boxes: dict[tuple[str, int], containers.Container]
    ) -> list[Unfinished]:
        if build.phase.takes_traffic and self._rescue.serves_whole(build):
            return [Unfinished(build, None)]
        self._rescue.take_back(build, boxes)
        self._start_again(build, None)
        return []

    def _was_taken_back(self, build: builds.Build) -> bool:
        """Whether traffic had gone back already: from draining on, its own build serves else."""
        row = self._store.serving().get(build.project)
        is_late = build.phase in (builds.Phase.DRAINING, builds.Phase.WATCHING)
        return is_late and row is not None and row.build != build.id

    def _take_back(self, build: builds.Build, left: containers.Container | None) -> None:
        serving = self._store.serving()[build.project].build
        reason = f"it was being taken back when the worker ended. Build {serving} serves again"
        found = card.Card(phase=build.phase, reason=reason, next=f"build-hook logs {build.id}")
        cards.keep(self._store.session, build.id, found)
        end = builds.Phase.CANCELLED if build.cancel else builds.Phase.ROLLED_BACK
        self._store.enter(build.id, end, reason)
        if left is not None:
            leftovers.remove(left, self._containers)
            self._boxes().pop((build.project, build.id), None)

    def _prefer(self, build: builds.Build) -> None:
        """Where two must not run at once, the old one has stopped: it is not started again."""
        row = self._store.serving().get(build.project)
        if row is None or row.build == build.id:
            return
        default = project.Project(name=build.project, repository="https://unregistered.invalid/")
        if job.deployed_with(build, default).stops_first:
            self._store.set_serving(build.project, build.id, row.build)

    def _start_again(self, build: builds.Build, left: containers.Container | None) -> None:
        if left is not None:
            leftovers.remove(left, self._containers)
            self._boxes().pop((build.project, build.id), None)
        if build.cancel:
            self._store.enter(build.id, builds.Phase.CANCELLED, "cancelled before it took traffic")
        else:
            self._store.requeue(build.id, "the worker was restarted")

    def _give_up(self, build: builds.Build) -> None:
        serving = self._store.serving().get(build.project)
        if serving and serving.build == build.id:
            if serving.previous is None:
                self._store.forget_serving(build.project)
            else:
                self._store.set_serving(build.project, serving.previous, None)
        reason = "its container was gone when the worker came back"
        found = card.Card(
            phase=build.phase, reason=reason, next=f"build-hook deploy {build.project}"
        )
        cards.keep(self._store.session, build.id, found)
        # who took the container away, a reboot or a person, says nothing of the commit
        self._store.fail(build.id, f"{build.phase}: {reason}", retry=not build.cancel)

    def _boxes(self) -> dict[tuple[str, int], containers.Container]:
        """All containers of ours, by project and build, asked for once: there may be many."""
        if self._known is None:
            self._known = {(box.unit, box.build): box for box in self._containers.roll_call()}
        return self._known

    def _running_addresses(self, name: str, found: containers.Container | None) -> tuple[str, ...]:
        if found is None:
            return ()  # it is made anew, see tend
        if not all(one.is_running for one in found.every):
            try:
                found = self._containers.resume(found.id)
            except errors.ContainerError as error:
                _log.error("%s: build %s does not start: %s", name, found.build, error)
        try:
            self._rescue.name(found)
        except errors.ContainerError as error:
            _log.error("%s: build %s is not found by its name: %s", name, found.build, error)
        return found.addresses
