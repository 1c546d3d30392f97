"""Old versions that long sessions still hold: they run on for their grace, then are stopped.

What lingers is in the store, so that it ends in time whichever worker is there by then.
"""

import logging
import threading
import time

from build_hook import part, project, settings
from build_hook.deploy import containers, job, steady
from build_hook.proxy import front, rendering
from build_hook.store import builds, lingering, parts

EVERY = 0.5
# The version that serves and its successor need a slot each.
MOST = rendering.SLOTS - 2

_UNKNOWN = "https://unregistered.invalid/"
_log = logging.getLogger(__name__)


class Farewells(threading.Thread):
    """Looks after what lingers, for as long as the process lives."""

    def __init__(
        self,
        with_settings: settings.Settings,
        store: builds.Builds,
        engine: containers.Containers,
        proxy: front.Front,
    ) -> None:
        super().__init__(name="farewells", daemon=True)
        self._store = store
        self._versions = lingering.Lingering(with_settings.database)
        self._containers = engine
        self._proxy = proxy
        self._rounds: dict[tuple[str, int], steady.Rounds] = {}

    def run(self) -> None:
        """Look again and again."""
        rounds = steady.Rounds(_log, "old versions stay for now")
        steady.forever(lambda: self.look(time.time()), EVERY, rounds)

    def begin(self, of: job.Job, old: job.Version, unit: project.Project | None = None) -> bool:
        """Let the version before a job's linger, if its project wants that and sessions are open.

        Args:
            of: the build that has replaced it.
            old: the version before.
            unit: the service that it is of, where the project has several.

        Returns:
            Whether it does; else it can be stopped.
        """
        whose = unit or of.project
        grace = whose.session_grace
        if not grace or whose.stops_first:
            return False
        open_now = self._proxy.sessions(whose.name, old.container.addresses)
        if not open_now:
            return False
        build = old.container.build
        self._versions.add(lingering.Version(build, whose.name, time.time() + grace))
        what = f"build {build}" + (f" of {whose.name}" if unit else "")
        of.log(f"{what} runs on for {grace:g} s at most: {open_now} sessions are open")
        return True

    def builds(self, name: str | None = None) -> set[int]:
        """The builds that linger, of a project or of all."""
        return {version.build for version in self._versions.all(name)}

    def make_room(self, name: str, most: int = MOST) -> None:
        """End the oldest of too many, whatever sessions they have."""
        versions = self._versions.all(name)
        for version in versions[: max(0, len(versions) - most)]:
            self._end(version, self._containers.of_build(name, version.build))

    def look(self, now: float) -> None:
        """End those whose sessions have ended, or whose grace has; each for itself."""
        versions = self._versions.all()
        here = {(version.project, version.build) for version in versions}
        self._rounds = {one: self._rounds[one] for one in here & self._rounds.keys()}
        for version in versions:
            what = f"{version.project}: build {version.build} stays for now"
            rounds = self._rounds.setdefault(
                (version.project, version.build), steady.Rounds(_log, what)
            )
            rounds.go(lambda version=version: self._look_at(version, now))

    def _look_at(self, version: lingering.Version, now: float) -> None:
        found = self._containers.of_build(version.project, version.build)
        if version.until <= now or not self._is_held(version, found):
            self._end(version, found)

    def _is_held(self, version: lingering.Version, found: containers.Container | None) -> bool:
        return found is not None and self._proxy.sessions(version.project, found.addresses) > 0

    def _end(self, version: lingering.Version, found: containers.Container | None) -> None:
        """Stop a container; it is kept only if it is the one before what serves."""
        serving = self._store.serving().get(version.project)
        kept = (serving.build, serving.previous) if serving else ()
        if found is not None and version.build != (serving and serving.build):
            self._proxy.close(version.project, found.addresses)
            self._containers.stop(found.id, self._grace(version))
            if version.build not in kept:
                self._containers.remove(found.id)
        self._versions.remove(version)
        _log.info("%s: build %s has ended", version.project, version.build)

    def _grace(self, version: lingering.Version) -> float:
        """What it gets to end by itself; what it was deployed with nobody knows if adopted."""
        pieces = parts.read(self._store.session, version.build)
        service = next((p.part for p in pieces if p.part.name == version.project), None)
        default = project.Project(name=part.root(version.project), repository=_UNKNOWN)
        found = service or job.deployed_with(self._store.get(version.build), default)
        return found.stop_grace_period
