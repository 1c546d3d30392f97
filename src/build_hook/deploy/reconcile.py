"""What is there against what should be: finds pushes whose delivery was lost.

Level-triggered: the desired state is the head of the tracked ref, the actual one the commit and
settings of what serves. One look serves all projects of a repository, or of an image; git's
protocol 2 lists only the refs that are asked for, and a registry's HEAD brings no manifest.
"""

import collections
import concurrent.futures
import logging
import threading
import time
from collections.abc import Callable, Iterable

from build_hook import errors, project
from build_hook.deploy import job, schedule, sources, steady
from build_hook.deploy.repository import access, command
from build_hook.store import builds

_log = logging.getLogger(__name__)
_SIDE_BY_SIDE = 4
_LONGEST_PAUSE = 5.0
_BEEN_THERE = (builds.Phase.LIVE, builds.Phase.SKIPPED)


def missing(store: builds.Builds, of: project.Project, head: str) -> builds.Request | None:
    """The build that brings a project to ``head``; None if it is there, on its way, or in vain.

    In vain: the last build of the same commit and settings failed by its own fault, or somebody
    went back from it.
    """
    recent = [b for b in store.recent(of.name) if b.phase is not builds.Phase.SUPERSEDED]
    if recent and recent[0].finished is None:
        return None  # it takes the head when it fetches, or is looked at again when it ends
    latest = next((b for b in recent if b.source is None), None)
    serving = store.serving().get(of.name)
    if serving is None and latest is not None and latest.phase in _BEEN_THERE:
        latest = None  # the project had left the registry, and is back
    for known in (latest, store.get(serving.build) if serving else None):
        if known is None or known.commit != head or known.retry:
            continue
        if job.deployed_with(known, of).runs_as == of.runs_as:
            return None
    return builds.Request(of.name, of.ref, builds.Cause.RECONCILE, commit=head)


class Reconciler(threading.Thread):
    """Looks at every repository: on start, when nudged, and every ``interval`` seconds.

    Projects that follow a pattern or wait for CI are left to their deliveries: the head of a
    ref says nothing of what they should run.
    """

    def __init__(
        self,
        store: builds.Builds,
        projects: Callable[[], tuple[project.Project, ...]],
        interval: float,
        wake: Callable[[], None],
        origins: sources.Sources,
    ) -> None:
        super().__init__(name="reconciler", daemon=True)
        self._store = store
        self._projects = projects
        self._wake = wake
        self._sources = origins
        self._schedule = schedule.Schedule(interval, time.monotonic)
        self._changed = threading.Condition()
        self._under_way = 0
        self.problems: dict[str, str] = {}

    def nudge(self, repository: str | None = None) -> None:
        """Look at one repository, or at all of them, now."""
        with self._changed:
            self._schedule.hurry(repository)
            self._changed.notify()

    def run(self) -> None:
        """Look, for as long as the process lives."""
        with concurrent.futures.ThreadPoolExecutor(_SIDE_BY_SIDE, "look") as pool:
            rounds = steady.Rounds(_log, "repositories are not looked at")
            steady.forever(lambda: self._start_looks(pool), 0, rounds)

    # Private

    def _start_looks(self, pool: concurrent.futures.Executor) -> None:
        by_repository = self._by_repository()
        with self._changed:
            self._schedule.know(by_repository)
            while (
                self._under_way < _SIDE_BY_SIDE
                and (repository := self._schedule.take()) is not None
            ):
                self._under_way += 1
                pool.submit(self._look, repository, by_repository[repository])
            full = self._under_way >= _SIDE_BY_SIDE
            pause = _LONGEST_PAUSE if full else self._schedule.seconds_to_next()
            self._changed.wait(min(_LONGEST_PAUSE, pause))

    def _by_repository(self) -> dict[str, list[project.Project]]:
        found: dict[str, list[project.Project]] = collections.defaultdict(list)
        for of in self._projects():
            if of.follows_head:
                found[of.origin].append(of)
        names = {of.name for group in found.values() for of in group}
        for gone in self.problems.keys() - names:
            self.problems.pop(gone, None)
        return found

    def _look(self, repository: str, group: list[project.Project]) -> None:
        answered = True
        try:
            for alike in _by_login(group):
                answered = self._look_as(alike) and answered
        except Exception:
            _log.exception("looking at %s", command.redact(repository))
        with self._changed:
            self._under_way -= 1
            self._schedule.looked(repository, answered=answered)
            self._changed.notify()

    def _look_as(self, group: list[project.Project]) -> bool:
        """Look on behalf of projects that log in alike; whether the host answered."""
        try:
            found = self._sources.of(group[0]).heads(group)
            for of in group:
                self._compare(of, found.get(of.name))
        except errors.BuildHookError as error:
            problem = str(error)
            _log.warning("%s", error)
            self.problems.update({of.name: problem for of in group})
            return False
        except Exception:
            _log.exception("looking at %s", command.redact(group[0].repository))
        return True

    def _compare(self, of: project.Project, head: str | None) -> None:
        if head is None:
            self.problems[of.name] = (
                f"{command.redact(of.origin)} has no {of.ref}. "
                f"Push it, or correct the project's {'image' if of.image else 'ref'}"
            )
            return
        self.problems.pop(of.name, None)
        request = missing(self._store, of, head)
        if request is not None:
            build = self._store.add(request)
            _log.info("%s: build %s for %s, found by looking", of.name, build.id, head)
            self._wake()


def _by_login(group: list[project.Project]) -> Iterable[list[project.Project]]:
    """Projects of one repository may read it with different keys, and see different refs."""
    alike: dict[access.Login, list[project.Project]] = collections.defaultdict(list)
    for of in group:
        alike[access.login(of)].append(of)
    return alike.values()
