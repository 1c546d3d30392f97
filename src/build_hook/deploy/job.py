"""A build while it is worked on: what it is, where it writes, whether it must stop."""

import contextlib
import dataclasses
import os
import pathlib
import signal
import threading
import time
from collections.abc import Callable

import pydantic

from build_hook import deployed, errors, project, repository_settings
from build_hook.deploy import buildlog, containers, cost
from build_hook.store import builds

DIE_AFTER = "BUILD_HOOK_DIE_AFTER"
_LOOK_EVERY = 0.2
# A thread asks whether to stop several times a second, except where it waits for the engine.
_PATIENCE = 600.0


@dataclasses.dataclass(slots=True)
class Job:
    """One build on its way.

    ``commit`` and ``image`` are known once they were found; ``release`` lets the next project
    build, and is called when nothing heavy is left to do. ``seen`` is when it gave its last sign
    of life, in Unix seconds. ``has_stopped`` once what serves was stopped for it: where the engine
    goes away then, only ``recover`` brings it back.
    """

    build: builds.Build
    project: project.Project
    log: buildlog.BuildLog
    store: builds.Builds
    release: Callable[[], None]
    commit: str = ""
    image: str = ""
    held: Callable[[builds.Build], str | None] = lambda build: None
    seen: float = dataclasses.field(default_factory=time.time)
    has_stopped: bool = False
    _looked: float = 0.0
    _phase: builds.Phase | None = None

    @property
    def silence(self) -> str | None:
        """What is to be told of a build that hangs; nothing of one that may only be slow."""
        of = self.project
        patience = _PATIENCE + of.drain + of.stop_grace_period + of.health.timeout
        if time.time() - self.seen < patience:
            return None
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(self.seen))
        phase = self._phase or self.build.phase
        return (
            f"Build {self.build.id} gave no sign of life since {since} UTC, in {phase}. Read its "
            f"log (build-hook logs {self.build.id}); a worker that is restarted sorts it out"
        )

    def enter(self, phase: builds.Phase) -> None:
        """Record a phase before it acts; a cancelled build stops here."""
        self.seen = time.time()
        if phase is self._phase:
            return
        self.store.enter(self.build.id, phase)
        _die_if_told(phase)
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
        self.log(f"cutover: {spent}")

    def check_stop(self) -> None:
        """Stop here if nobody wants the build any more; looks a few times a second at most.

        Raises:
            CancelledError: if somebody cancelled it.
            SupersededError: if a newer push waits and the project does not want both.
        """
        self.seen = time.time()
        if time.monotonic() - self._looked < _LOOK_EVERY:
            return
        self._looked = time.monotonic()
        if self.store.get(self.build.id).cancel:
            raise errors.CancelledError("Cancelled")
        if self.project.cancel_running and self.is_overtaken():
            raise errors.SupersededError("by a newer push")

    def check_cancelled(self) -> None:
        """Go back from here if somebody cancelled the build, which serves by now.

        Raises:
            TakenBackError: if somebody did.
        """
        self.seen = time.time()
        if self.store.get(self.build.id).cancel:
            raise errors.TakenBackError("Cancelled while it was watched")

    def is_overtaken(self) -> bool:
        """Whether a newer push of the project waits, and may go."""
        newer = self.store.newer(self.build)
        return newer is not None and self.held(newer) is None


def _die_if_told(phase: builds.Phase) -> None:
    """For tests: the worker dies once, between what it has recorded and what it does next.

    The variable names a file that holds a phase; who dies takes it away.
    """
    told = os.environ.get(DIE_AFTER)
    if told is None:
        return
    file = pathlib.Path(told)
    with contextlib.suppress(FileNotFoundError):
        if file.read_text(encoding="ascii").strip() == phase:
            file.unlink()
            os.kill(os.getpid(), signal.SIGKILL)


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
