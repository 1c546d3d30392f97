"""The builds that are under way, each in a thread of its own."""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import NoReturn

from build_hook import errors, project, registry, settings, wake
from build_hook.deploy import buildlog, job, pipeline, recover, redaction, turns
from build_hook.store import builds

_log = logging.getLogger(__name__)

After = Callable[[job.Job, builds.Build], None]


class Crew:
    """Works on one build of a project at a time; ``busy`` says which, by project.

    ``after`` is called when a build has ended, or waits again.
    """

    def __init__(
        self,
        with_settings: settings.Settings,
        store: builds.Builds,
        by: pipeline.Pipeline,
        known: registry.Reader,
        in_turn: turns.Turns,
        after: After,
    ) -> None:
        self._settings = with_settings
        self._store = store
        self._pipeline = by
        self._registry = known
        self._turns = in_turn
        self._after = after
        self._slots = threading.Semaphore(with_settings.concurrency)
        self._jobs: dict[int, job.Job] = {}
        self.busy: dict[str, int] = {}

    @property
    def problems(self) -> dict[str, str]:
        """Projects whose build hangs."""
        said = {of.build.project: of.silence for of in tuple(self._jobs.values())}
        return {name: what for name, what in said.items() if what is not None}

    @property
    def has_room(self) -> bool:
        """Whether another build may begin."""
        found = self._slots.acquire(blocking=False)
        if found:
            self._slots.release()
        return found

    def begin(self, build: builds.Build) -> None:
        """Begin a build; call it from one thread only, where there is room."""
        of = self._project(build)
        self._store.note(build.id, settings=of.model_dump_json(exclude_defaults=True))
        self._slots.acquire()
        try:
            self._start(build, of, None, self._free_slot)
        except BaseException:
            self._slots.release()
            raise

    def resume(self, unfinished: recover.Unfinished) -> None:
        """Go on with a build that a crash caught; it takes no slot."""
        build = unfinished.build
        of = job.deployed_with(build, self._project(build))
        self._start(build, of, unfinished, lambda: None)

    # Private

    def _project(self, build: builds.Build) -> project.Project:
        return self._registry.current.find(build.project) or project.Project(
            name=build.project, repository="https://unregistered.invalid/"
        )

    def _start(
        self,
        build: builds.Build,
        of: project.Project,
        unfinished: recover.Unfinished | None,
        free: Callable[[], None],
    ) -> None:
        release = job.Once(free)
        log = buildlog.BuildLog(
            buildlog.path(self._settings.logs, build.id),
            int(self._settings.build_log_mb * 2**20),
            redaction.of_project(of, self._settings.secrets, self._settings.confided),
        )
        work = job.Job(build, of, log, self._store, release, held=self._turns.why_held)
        self._jobs[build.id] = work
        self.busy[build.project] = build.id
        self._turns.take(build)
        threading.Thread(
            target=self._work,
            args=(work, release, unfinished),
            name=f"build-{build.id}",
            daemon=True,
        ).start()

    def _work(self, of: job.Job, release: job.Once, unfinished: recover.Unfinished | None) -> None:
        started = time.monotonic()
        _log.info("%s: build %s begins", of.project.name, of.build.id)
        self._bring_to_an_end(of, unfinished)
        try:
            ended = self._store.get(of.build.id)
        except errors.StoreError as error:
            leave(error)
        if ended.finished is None and ended.phase is not builds.Phase.QUEUED:
            leave("build %s has to be finished or undone", of.build.id)
        release()
        of.log.close()
        took, why = time.monotonic() - started, f": {ended.reason}" if ended.reason else ""
        _log.info("%s: build %s is %s after %.1f s%s",
                  of.project.name, of.build.id, ended.phase, took, why)  # fmt: skip
        del self._jobs[of.build.id]
        del self.busy[of.build.project]
        self._after(of, ended)

    def _bring_to_an_end(self, of: job.Job, unfinished: recover.Unfinished | None) -> None:
        try:
            if unfinished:
                self._pipeline.resume(of, unfinished.container)
            else:
                self._pipeline.run(of)
        except errors.EngineDownError as error:
            _log.warning("%s: build %s waits: %s", of.project.name, of.build.id, error)
        except Exception as error:  # in what is done where a build fails
            _log.exception("build %s could not be brought to an end", of.build.id)
            self._abandon(of, error)

    def _abandon(self, of: job.Job, error: Exception) -> None:
        """Fail a build that cannot even fail: another worker would come to the same end."""
        reason = f"Unforeseen: {error!r}. This is a fault of build-hook: report it"
        with contextlib.suppress(errors.StoreError):
            self._store.fail(of.build.id, of.log.redact(reason), retry=False)

    def _free_slot(self) -> None:
        self._slots.release()
        wake.send(self._settings.run)


def leave(why: object, *of: object) -> NoReturn:
    """End the process: the next one finds out how things are, and goes on."""
    _log.error(f"{why}. The worker starts again", *of)
    os._exit(1)
