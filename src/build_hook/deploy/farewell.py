"""Old versions that long sessions still hold: they run on for their grace, then are stopped.

What lingers is in the store, so that it ends in time whichever worker is there by then.
"""

import logging
import threading
import time

from build_hook import errors, settings
from build_hook.deploy import containers, job
from build_hook.proxy import front, rendering
from build_hook.store import builds, lingering

EVERY = 0.5
# The version that serves and its successor need a slot each.
MOST = rendering.SLOTS - 2

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

    def run(self) -> None:
        """Look again and again."""
        while True:
            try:
                self.look(time.time())
            except errors.BuildHookError as error:
                _log.debug("old versions stay for now: %s", error)
            time.sleep(EVERY)

    def begin(self, of: job.Job, old: job.Version) -> bool:
        """Let the version before a job's linger, if its project wants that and sessions are open.

        Returns:
            Whether it does; else it can be stopped.
        """
        grace = of.project.session_grace
        if not grace or of.project.stops_first:
            return False
        open_now = self._proxy.sessions(of.project.name, old.container.addresses)
        if not open_now:
            return False
        build = old.container.build
        self._versions.add(lingering.Version(build, of.project.name, time.time() + grace))
        of.log(f"build {build} runs on for {grace:g} s at most: {open_now} sessions are open")
        return True

    def builds(self, project: str | None = None) -> set[int]:
        """The builds that linger, of a project or of all."""
        return {version.build for version in self._versions.all(project)}

    def make_room(self, project: str, most: int = MOST) -> None:
        """End the oldest of too many, whatever sessions they have."""
        versions = self._versions.all(project)
        for version in versions[: max(0, len(versions) - most)]:
            self._end(version, self._containers.of_build(project, version.build))

    def look(self, now: float) -> None:
        """End those whose sessions have ended, or whose grace has."""
        for version in self._versions.all():
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
            deployed = job.deployed_with(self._store.get(version.build), None)
            self._containers.stop(found.id, deployed.stop_grace_period)
            if version.build not in kept:
                self._containers.remove(found.id)
        self._versions.remove(version.build)
        _log.info("%s: build %s has ended", version.project, version.build)
