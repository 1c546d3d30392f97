"""The swap: traffic moves from the old container to the new one, and back if it fails."""

import contextlib
import time
from collections.abc import Callable, Collection, Generator

from build_hook import errors
from build_hook.deploy import containers, cost, farewell, job, tally, watch
from build_hook.proxy import front, places
from build_hook.store import builds

_LOOK_EVERY = 0.05
# What creating and starting a container may take, in seconds.
_STARTING = 30.0


class Cycle:
    """Replaces containers behind the proxy."""

    def __init__(
        self,
        proxy: front.Front,
        accounts: cost.Accountant,
        tallies: tally.Tallies,
        engine: containers.Containers,
        store: builds.Builds,
        farewells: farewell.Farewells,
    ) -> None:
        self._proxy = proxy
        self._farewells = farewells
        self._accounts = accounts
        self._tallies = tallies
        self._containers = engine
        self._store = store

    def replace(self, of: job.Job, new: containers.Container, old: job.Version | None) -> None:
        """Give the traffic to ``new``, keep ``old`` at hand until ``new`` has lived a while.

        Raises:
            ProxyError: if traffic could not be moved; the old version serves on.
            WatchError: if the new version failed; traffic is back on the old one.
        """
        self._farewells.make_room(of.project.name)
        before = self._count_before(of)
        with self._accounts.account(of.project, of.charge):
            of.enter(builds.Phase.SWITCHING)
            self._give_traffic_to(of, new, old)
            of.release()

            of.enter(builds.Phase.DRAINING)
            watched = self._watching(of, new, old, before)
            with self._way_back(of, old):
                self._drain(of, old.container.addresses if old else (), watched.check)
        self._watch(of, watched, old)

    def recreate(
        self, of: job.Job, start: Callable[[], containers.Container], old: job.Version
    ) -> None:
        """Stop ``old``, then ``start`` the new one; requests wait at the proxy meanwhile.

        Raises:
            BuildHookError: whatever ``start`` raises; the old version runs and serves again.
            EngineDownError: if the engine went away; the old version is left as it is.
            WatchError: if the new version failed; the old one runs and serves again.
        """
        of.enter(builds.Phase.STARTING)
        before = self._count_before(of)
        with self._accounts.account(of.project, of.charge), self._held(of, old):
            try:
                self._farewells.make_room(of.project.name, most=0)
                self._drain(of, old.container.addresses)
                of.has_stopped = True
                self._containers.stop(old.container.id, old.project.stop_grace_period)
                new = start()
                of.enter(builds.Phase.SWITCHING)
                self._give_traffic_to(of, new, old)
            except errors.EngineDownError:
                raise
            except BaseException:
                self._stop_new(of)
                self._close(of, self._give_traffic_back(of, old))
                raise
        of.release()
        self._watch(of, self._watching(of, new, old, before), old)

    # Private

    def _count_before(self, of: job.Job) -> tally.Tally:
        """How the version before answered; nothing is known of it where a crash was since."""
        serving = self._store.serving().get(of.project.name)
        if serving is not None and serving.build == of.build.id:
            return tally.Tally()
        return self._tallies.count(self._proxy.servers(of.project.name))

    def _watching(
        self,
        of: job.Job,
        new: containers.Container,
        old: job.Version | None,
        before: tally.Tally,
    ) -> watch.Watch:
        servers = self._proxy.servers(of.project.name)
        rival = watch.Rival(before, lambda: self._tallies.count(servers)) if old else None
        stop = of.check_cancelled
        return watch.Watch(of.project, lambda: self._look(new), rival, stop)

    def _watch(self, of: job.Job, watched: watch.Watch, old: job.Version | None) -> None:
        of.enter(builds.Phase.WATCHING)
        with self._way_back(of, old):
            watched.over(of.project.watch, of.is_overtaken)
        self._retire(of, old)
        of.end(builds.Phase.LIVE)

    @contextlib.contextmanager
    def _way_back(self, of: job.Job, old: job.Version | None) -> Generator[None]:
        try:
            yield
        except errors.WatchError:
            if old is not None:
                self._go_back(of, old)
            raise

    def _go_back(self, of: job.Job, old: job.Version) -> None:
        """Give the traffic back; what the failed version still answers may come to its end."""
        if of.project.stops_first:
            with self._held(of, old):
                self._stop_new(of)
                self._close(of, self._give_traffic_back(of, old))
            return
        left = self._give_traffic_back(of, old)
        self._drain(of, left)
        self._close(of, left)

    def _close(self, of: job.Job, left: Collection[str]) -> None:
        if left:
            self._proxy.close(of.project.name, left)

    @contextlib.contextmanager
    def _held(self, of: job.Job, old: job.Version) -> Generator[None]:
        """Let requests wait, at most for as long as the whole exchange may take.

        Where the engine goes away when nobody may serve, they wait for it to come back.
        """
        if not old.project.ports:
            yield
            return
        longest = of.project.drain + old.project.stop_grace_period + of.project.health.timeout
        self._proxy.hold(of.project.name, longest + _STARTING)
        waits_on = False
        try:
            yield
        except errors.EngineDownError:
            waits_on = of.has_stopped
            raise
        finally:
            if not waits_on:
                self._proxy.go(of.project.name)

    def _stop_new(self, of: job.Job) -> None:
        """End a version that must not run beside the old one; the container is kept."""
        left = self._containers.of_build(of.project.name, of.build.id)
        if left is not None:
            self._containers.stop(left.id, of.project.stop_grace_period)

    def _look(self, at: containers.Container) -> containers.Container | None:
        return self._containers.look(at.id)

    def _give_traffic_to(
        self, of: job.Job, new: containers.Container, old: job.Version | None
    ) -> None:
        self._containers.promote(new.id, of.project)
        before = self._store.serving().get(of.project.name)
        previous = old.container.build if old else None
        # recorded before it moves: who follows a container that restarts must not move it back
        self._store.set_serving(of.project.name, of.build.id, previous)
        try:
            if of.project.ports:
                self._proxy.switch(places.Target(of.project, new.addresses))
                self._tallies.begin(self._proxy.servers(of.project.name))
        except errors.ProxyError:
            if before is None:
                self._store.forget_serving(of.project.name)
            elif before.build != of.build.id:
                self._store.set_serving(of.project.name, before.build, before.previous)
            raise
        of.log(f"build {of.build.id} serves, at {', '.join(new.addresses)}")

    def _give_traffic_back(self, of: job.Job, old: job.Version) -> set[str]:
        """Let the old version serve again; the addresses that were left."""
        before = old.container
        of.log(f"moving traffic back to build {before.build}")
        now = self._look(before)
        if now is None:
            raise errors.WatchError(
                "The new version failed, and the previous container was removed by somebody else",
                f"Use: build-hook rollback {of.project.name}",
            )
        if not all(one.is_running for one in now.every):
            now = self._containers.resume(before.id)
        self._store.set_serving(of.project.name, before.build, None)
        if not old.project.ports:
            return set()
        left = self._proxy.addresses(of.project.name)
        self._proxy.switch(places.Target(old.project, now.addresses))
        return set(left) - set(now.addresses)

    def _drain(
        self, of: job.Job, left_at: Collection[str], meanwhile: Callable[[], None] = lambda: None
    ) -> None:
        """Wait until a version that was left has no sessions, ``drain`` seconds at most.

        A newer push need not wait for sessions that may stay longer.
        """
        deadline = time.monotonic() + of.project.drain
        with contextlib.suppress(errors.ProxyError):  # a proxy that died has no sessions left
            while left := self._sessions(of, left_at):
                if time.monotonic() > deadline:
                    of.log(f"{left} sessions were still open after {of.project.drain:g} s")
                    return
                if of.project.session_grace and of.is_overtaken():
                    return
                meanwhile()
                time.sleep(_LOOK_EVERY)

    def _sessions(self, of: job.Job, addresses: Collection[str]) -> int:
        return self._proxy.sessions(of.project.name, addresses) if addresses else 0

    def _retire(self, of: job.Job, old: job.Version | None) -> None:
        """Stop the old container and keep it; remove those before it.

        One that long sessions hold, and that may wait for them, is stopped later.
        """
        if old is not None and not self._farewells.begin(of, old):
            self._proxy.close(of.project.name, old.container.addresses)
            self._containers.stop(old.container.id, old.project.stop_grace_period)
        kept = {of.build.id, old.container.build if old else None}
        kept |= self._farewells.builds(of.project.name)
        for other in self._containers.all(of.project.name):
            if other.build < of.build.id and other.build not in kept:
                self._containers.remove(other.id)
