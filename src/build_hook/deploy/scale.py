"""As many replicas of what serves as the registry says: none is built for that."""

import contextlib
import dataclasses
import logging
import threading
import time
from collections.abc import Iterable, Mapping

from build_hook import errors, part, project
from build_hook.deploy import containers, gate, job
from build_hook.proxy import front
from build_hook.store import builds, parts

_log = logging.getLogger(__name__)
_LOOK_EVERY = 5.0
_TRY_AGAIN = 60.0
_DRAIN_LOOK = 0.05


class Scaler:
    """Starts replicas that are missing, ends those that are too many."""

    def __init__(
        self,
        store: builds.Builds,
        engine: containers.Containers,
        proxy: front.Front,
        busy: dict[str, int],
    ) -> None:
        self._busy = busy
        self._store = store
        self._containers = engine
        self._proxy = proxy
        self._projects: tuple[project.Project, ...] = ()
        self._next_look = 0.0
        self._not_before: dict[str, float] = {}
        self.problems: dict[str, str] = {}

    def work(self, projects: tuple[project.Project, ...]) -> None:
        """Begin, where nothing else is done for a project; it is busy meanwhile."""
        if projects is not self._projects:  # another registry is looked at at once
            self._projects, self._next_look = projects, 0.0
            self._not_before.clear()
        for of in self._due(projects):
            root = part.root(of.name)
            if root not in self._busy:
                self._busy[root] = self._store.serving()[of.name].build
                threading.Thread(
                    target=self._bring, args=(of,), name=f"scale-{of.name}", daemon=True
                ).start()

    # Private

    def _due(self, projects: Iterable[project.Project]) -> list[project.Project]:
        """Projects and services that serve with more or fewer containers than they should."""
        now = time.monotonic()
        if now < self._next_look:
            return []
        self._next_look = now + _LOOK_EVERY
        serving, counts = self._store.serving(), self._containers.counts()
        return [
            of
            for registered in projects
            for of in self._units(registered, serving)
            if counts[of.name, serving[of.name].build] not in (0, of.deploy.replicas)
            and now >= self._not_before.get(of.name, 0.0)
        ]

    def _units(
        self, of: project.Project, serving: Mapping[str, builds.Serving]
    ) -> list[project.Project]:
        """What of a project has containers: itself, or its services as its live build has them."""
        if of.name not in serving:
            return []
        if of.compose is None:
            return [of]
        pieces = parts.read(self._store.session, serving[of.name].build)
        return [piece.part for piece in pieces if piece.part.name in serving]

    def _bring(self, of: project.Project) -> None:
        root = part.root(of.name)
        try:
            self._scale(of)
            self.problems.pop(root, None)
        except errors.BuildHookError as error:
            _log.warning("%s: %s", of.name, error)
            self.problems[root] = f"Not all replicas run: {error}"
            self._not_before[of.name] = time.monotonic() + _TRY_AGAIN
        finally:
            del self._busy[root]

    def _scale(self, of: project.Project) -> None:
        serving = self._store.serving()[of.name]
        deployed = of
        if not isinstance(of, part.Part):
            deployed = job.deployed_with(self._store.get(serving.build), of)
        found = self._containers.of_build(of.name, serving.build)
        while found is not None and len(found.every) < of.deploy.replicas:
            self._add(deployed, found)
            found = self._containers.inspect(found.id)
        if found is not None and len(found.every) > of.deploy.replicas:
            self._end(deployed, found, found.every[of.deploy.replicas :])

    def _add(self, of: project.Project, beside: containers.Container) -> None:
        new = self._containers.add_replica(of, beside)
        try:
            gate.prove(of, lambda: self._alone(new.id), lambda: None, _log.info)
            self._containers.promote(new.id, of)
        except BaseException:
            self._containers.remove_replica(new, 0)
            raise
        _log.info("%s: replica %s serves, at %s", of.name, new.replica, new.address)
        self._send(of, self._containers.inspect(new.id))

    def _end(
        self,
        of: project.Project,
        found: containers.Container,
        ends: tuple[containers.Container, ...],
    ) -> None:
        left = dataclasses.replace(found, others=tuple(o for o in found.others if o not in ends))
        self._send(of, left)
        self._drain(of, {one.address for one in ends if one.address})
        for one in ends:
            self._containers.remove_replica(one, of.stop_grace_period)
            _log.info("%s: replica %s has ended", of.name, one.replica)

    def _alone(self, container: str) -> containers.Container | None:
        found = self._containers.look(container)
        return dataclasses.replace(found, others=()) if found else None

    def _send(self, of: project.Project, to: containers.Container | None) -> None:
        known = self._proxy.addresses(of.name)
        if known and to is not None:
            self._proxy.move(of.name, known, to.addresses)

    def _drain(self, of: project.Project, addresses: set[str]) -> None:
        deadline = time.monotonic() + of.drain
        with contextlib.suppress(errors.ProxyError):  # a proxy that died has no sessions left
            while time.monotonic() < deadline and self._proxy.sessions(of.name, addresses):
                time.sleep(_DRAIN_LOOK)
