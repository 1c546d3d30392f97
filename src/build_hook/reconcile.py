"""What is there against what should be: finds pushes whose delivery was lost.

Level-triggered: the desired state is the head of the tracked ref, the actual one the commit and
settings of what serves.
"""

import logging
import random
import threading
from collections.abc import Callable

from build_hook import checkout, errors, job, project
from build_hook.store import builds

_log = logging.getLogger(__name__)
_JITTER = 0.1


def missing(store: builds.Builds, of: project.Project, head: str) -> builds.Request | None:
    """The build that brings a project to ``head``; None if it is there, on its way, or in vain.

    In vain: the last build of the same commit and settings failed by its own fault.
    """
    latest = next(
        (b for b in store.recent(of.name) if b.phase is not builds.Phase.SUPERSEDED), None
    )
    if latest is not None and latest.finished is None:
        return None  # it takes the head when it fetches, or is looked at again when it ends
    serving = store.serving().get(of.name)
    for known in (latest, store.get(serving.build) if serving else None):
        if known is None or known.commit != head or known.retry:
            continue
        if job.deployed_with(known, of).runs_as == of.runs_as:
            return None
    return builds.Request(of.name, of.ref, builds.Cause.RECONCILE, commit=head)


class Reconciler(threading.Thread):
    """Looks at every repository: on start, when nudged, and every ``interval`` seconds."""

    def __init__(
        self,
        store: builds.Builds,
        projects: Callable[[], tuple[project.Project, ...]],
        interval: float,
        wake: Callable[[], None],
    ) -> None:
        super().__init__(name="reconciler", daemon=True)
        self._store = store
        self._projects = projects
        self._interval = interval
        self._wake = wake
        self._nudged = threading.Event()
        self.problems: dict[str, str] = {}

    def nudge(self) -> None:
        """Look now."""
        self._nudged.set()

    def run(self) -> None:
        """Look, for as long as the process lives."""
        while True:
            self._nudged.clear()
            self.look_at_all()
            spread = 1 + random.uniform(-_JITTER, _JITTER)  # noqa: S311 - not for secrets
            self._nudged.wait(self._interval * spread)

    def look_at_all(self) -> None:
        """Ask for the builds that are missing."""
        for of in self._projects():
            try:
                if not of.follows_tags:
                    self._look_at(of)
                self.problems.pop(of.name, None)
            except errors.BuildHookError as error:
                self.problems[of.name] = str(error)
                _log.warning("%s: %s", of.name, error)

    def _look_at(self, of: project.Project) -> None:
        request = missing(self._store, of, checkout.head(of))
        if request is not None:
            build = self._store.add(request)
            _log.info("%s: build %s for %s, found by looking", of.name, build.id, request.commit)
            self._wake()
