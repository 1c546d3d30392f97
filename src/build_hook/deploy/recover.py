"""After a crash, a reboot or an upgrade: adopt what serves, finish or undo what was under way.

Before ``switching`` the candidate is removed and the build starts again; from ``switching`` on
it is finished, or traffic goes back. What is left and ours is removed. Traffic never stops: the
proxy serves from its own file all the while.
"""

import dataclasses
import logging
from collections.abc import Sequence

from build_hook import card, errors, part, project, settings
from build_hook.deploy import containers, farewell
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
        """Undo what can start again; return what has to be finished."""
        unfinished: list[Unfinished] = []
        running = self._store.running()
        boxes = self._boxes() if running else {}
        for build in running:
            candidate = boxes.get((build.project, build.id))
            if self._rescue.has(build):
                unfinished += self._sort_out_services(build, boxes)
            elif not build.phase.takes_traffic:
                self._start_again(build, candidate)
            elif candidate is not None and candidate.is_running:
                unfinished.append(Unfinished(build, candidate))
            else:
                self._give_up(build)
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
        wanted = {build.id for build in self._store.running()}
        wanted |= self._farewells.builds()
        for serving in self._store.serving().values():
            wanted |= {serving.build, serving.previous or 0}
        for found in self._boxes().values():
            if found.build not in wanted:
                _log.info("removing %s, left by a crash", found.name)
                self._containers.remove(found.id)

    # Private

    def _sort_out_services(
        self, build: builds.Build, boxes: dict[tuple[str, int], containers.Container]
    ) -> list[Unfinished]:
        if build.phase.takes_traffic and self._rescue.serves_whole(build):
            return [Unfinished(build, None)]
        self._rescue.take_back(build, boxes)
        self._start_again(build, None)
        return []

    def _start_again(self, build: builds.Build, left: containers.Container | None) -> None:
        if left is not None:
            self._containers.remove(left.id)
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
        self._store.fail(build.id, f"{build.phase}: {reason}", retry=True)

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
        self._rescue.name(found)
        return found.addresses
