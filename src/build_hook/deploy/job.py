"""A build while it is worked on: what it is, where it writes, whether it must stop."""

import dataclasses
import threading
import time
from collections.abc import Callable

import pydantic

from build_hook import deployed, errors, project, repository_settings
from build_hook.deploy import buildlog, containers, cost
from build_hook.store import builds

_LOOK_EVERY = 0.2


@dataclasses.dataclass(slots=True)
class Job:
    """One build on its way.

    ``commit`` and ``image`` are known once they were found; ``release`` lets the next project
    build, and is called when nothing heavy is left to do.
    """

    build: builds.Build
    project: project.Project
    log: buildlog.BuildLog
    store: builds.Builds
    release: Callable[[], None]
    commit: str = ""
    image: str = ""
    held: Callable[[builds.Build], str | None] = lambda build: None
    _looked: float = 0.0
    _phase: builds.Phase | None = None

    def enter(self, phase: builds.Phase) -> None:
        """Record a phase before it acts; a cancelled build stops here."""
        if phase is self._phase:
            return
        self.store.enter(self.build.id, phase)
        self._phase = phase
        self.log.headline(phase)

    def end(self, phase: builds.Phase, reason: str | None = None) -> None:
        """Record how it ended."""
        self.store.enter(self.build.id, phase, reason and self.log.redact(reason))
        self.log.headline(f"{phase}: {reason}" if reason else phase)

    def charge(self, spent: cost.Cost) -> None:
        """Record what the cutover cost."""
        self.store.charge(
            self.build.id,
            requests=spent.requests,
            failed=spent.failed,
            longest_gap_ms=spent.longest_gap_ms,
        )
        gap = "" if spent.longest_gap_ms is None else f", longest gap {spent.longest_gap_ms} ms"
        self.log(f"cutover: {spent.requests} requests, {spent.failed} failed{gap}")

    def check_stop(self) -> None:
        """Stop here if nobody wants the build any more; looks a few times a second at most.

        Raises:
            CancelledError: if somebody cancelled it.
            SupersededError: if a newer push waits and the project does not want both.
        """
        if time.monotonic() - self._looked < _LOOK_EVERY:
            return
        self._looked = time.monotonic()
        if self.store.get(self.build.id).cancel:
            raise errors.CancelledError("Cancelled")
        if self.project.cancel_running and self.is_overtaken():
            raise errors.SupersededError("by a newer push")

    def is_overtaken(self) -> bool:
        """Whether a newer push of the project waits, and may go."""
        newer = self.store.newer(self.build)
        return newer is not None and self.held(newer) is None


class Once:
    """Calls something the first time only."""

    def __init__(self, action: Callable[[], None]) -> None:
        self._action = action
        self._lock = threading.Lock()
        self._done = False

    def __call__(self) -> None:
        """Do it, unless it was done."""
        with self._lock:
            done, self._done = self._done, True
        if not done:
            self._action()


@dataclasses.dataclass(frozen=True, slots=True)
class Version:
    """A version that serves or served: its container and the settings it was deployed with."""

    container: containers.Container
    project: project.Project


def deployed_with(build: builds.Build, otherwise: project.Project | None) -> project.Project:
    """The settings that a build was deployed with.

    Raises:
        StoreError: if they are not recorded and there is no other choice.
    """
    try:
        of = deployed.Deployed.model_validate_json(build.settings or "")
        if build.overlay is None:
            return of
        asked = repository_settings.RepositorySettings.model_validate_json(build.overlay)
        return repository_settings.apply(of, asked)
    except pydantic.ValidationError as error:
        if otherwise is not None:
            return otherwise
        raise errors.StoreError(f"Build {build.id} has no settings on record") from error
