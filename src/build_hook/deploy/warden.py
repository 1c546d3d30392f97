"""The warden: keeps the steps of builds within their limits, and stops the build that passes one.

BuildKit takes no limits (moby/buildkit#593), but writes the configuration of each step where its
engine keeps its data before it starts it; a mark in its environment says whose it is, and it
names its control group. See docs/adr/0016.
"""

import collections.abc
import contextlib
import dataclasses
import json
import logging
import pathlib
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from build_hook import errors
from build_hook.deploy import carriers, cgroups, wards

_LOOK_EVERY = 0.03
_LOOK_AT_DISK_EVERY = 1.0
_WEIGH_EVERY = 0.2
# What is left to steps of their processors, however much is done for them elsewhere.
_LEAST_LEFT = 0.1
_LAST_WORDS = 5.0

_log = logging.getLogger(__name__)


class Warden:
    """Watches all builds of a worker; ``ceiling`` is what they may take together."""

    def __init__(
        self,
        executor: pathlib.Path,
        ceiling: cgroups.Ceiling,
        root: pathlib.Path = cgroups.ROOT,
    ) -> None:
        self._executor = executor
        self._ceiling = ceiling
        self._root = root
        self._wards: list[wards.Ward] = []
        self._strangers: set[str] = set()
        self._lock = threading.Lock()
        self._looked_at_disk = 0.0
        self._carriers = carriers.Carriers()
        self._carried = self._charged = 0.0
        self._weighed = 0.0
        self._thread: threading.Thread | None = None

    def require(self) -> None:
        """Make sure that limits hold here.

        Raises:
            LimitError: if they cannot.
        """
        cgroups.require_writable(self._root)
        try:
            next(self._executor.iterdir(), None)
        except OSError as error:
            raise errors.LimitError(
                f"The worker cannot see the steps of builds in {self._executor}: {error.strerror}",
                "Run the worker as root on the engine's host, or see docs/adr/0028",
            ) from error

    @contextlib.contextmanager
    def watching(
        self, mark: str, ceiling: cgroups.Ceiling, require_space: Callable[[], None]
    ) -> collections.abc.Generator[wards.Ward]:
        """Watch a build for as long as the block runs; nothing of its steps is left then."""
        ward = wards.Ward(mark, ceiling.within(self._ceiling), require_space)
        with self._lock:
            self._wards.append(ward)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="warden", daemon=True)
                self._thread.start()
        try:
            yield ward
        finally:
            self._bury(ward)
            with self._lock:
                self._wards.remove(ward)

    def look(self) -> None:
        """Find new steps, share out what there is, and see who passed a limit."""
        if self._find() | self._weigh():
            self._share()
        for ward in self._wards:
            ward.passed = ward.passed or _judge(ward)
        if _memory(self._groups()) > self._ceiling.memory:
            greediest = max(self._wards, key=lambda ward: _memory(ward.steps.values()))
            greediest.passed = greediest.passed or _too_much("memory", self._ceiling)
        self._look_at_disk()

    # Private

    def _watch(self) -> None:
        while True:
            with self._lock:
                if not self._wards:
                    self._thread = None
                    return
                try:
                    self.look()
                except Exception:
                    _log.exception("watching builds")
            time.sleep(_LOOK_EVERY)

    def _find(self) -> bool:
        """Take up steps that are new and drop those that ended; whether there were any."""
        there = _folders(self._executor)
        known = {name for ward in self._wards for name in ward.steps}
        for ward in self._wards:
            for name in ward.steps.keys() - there:
                del ward.steps[name]
        self._strangers &= there
        new = [name for name in there - known - self._strangers if self._take_up(name)]
        return bool(new or known - there)

    def _take_up(self, name: str) -> bool:
        try:
            config: Any = json.loads((self._executor / name / "config.json").read_bytes())
            ward = self._ward_of(config["process"]["env"])
            group = cgroups.Group(config["linux"]["cgroupsPath"], self._root)
        except (OSError, ValueError, LookupError):
            return False  # it is written at this moment, or gone
        if ward is None:
            self._strangers.add(name)
            return False
        if not group.is_there:
            return False
        ward.steps[name] = group
        return True

    def _ward_of(self, variables: list[str]) -> wards.Ward | None:
        """Whose step it is: what BuildKit adds stands behind whatever a Dockerfile says."""
        by_mark = {ward.mark: ward for ward in self._wards}
        marks = (_last_exception(variable) for variable in reversed(variables))
        return next((by_mark[mark] for mark in marks if mark in by_mark), None)

    def _groups(self) -> list[cgroups.Group]:
        return [group for ward in self._wards for group in ward.steps.values()]

    def _weigh(self) -> bool:
        """See what passing on the steps' output takes; whether that has changed by much."""
        if time.monotonic() - self._weighed < _WEIGH_EVERY:
            return False
        self._weighed = time.monotonic()
        self._carriers.follow(group.first for group in self._groups())
        self._carried = (self._carried + self._carriers.cpus()) / 2
        return abs(self._carried - self._charged) > _LEAST_LEFT / 4

    def _share(self) -> None:
        cpus, self._charged = self._ceiling.cpus, self._carried
        left = max(cpus * _LEAST_LEFT, cpus - self._charged)
        everybody = dataclasses.replace(self._ceiling, cpus=left).share(
            max(1, len(self._groups()))
        )
        for ward in self._wards:
            each = ward.ceiling.share(max(1, len(ward.steps))).within(everybody)
            for group in ward.steps.values():
                try:
                    group.limit(each)
                except FileNotFoundError:
                    continue  # it has ended
                except OSError as error:
                    ward.passed = ward.passed or errors.LimitError(
                        f"A step of the build could not be limited: {error.strerror}",
                        'See build-hook doctor; build_limits = "off" builds without limits',
                    )

    def _look_at_disk(self) -> None:
        if time.monotonic() - self._looked_at_disk < _LOOK_AT_DISK_EVERY:
            return
        self._looked_at_disk = time.monotonic()
        for ward in self._wards:
            try:
                ward.require_space()
            except errors.DiskFullError as error:
                ward.passed = ward.passed or error

    def _bury(self, ward: wards.Ward) -> None:
        """The client is gone: so are the steps, or they are killed."""
        deadline = time.monotonic() + _LAST_WORDS
        while any(group.is_there for group in list(ward.steps.values())):
            if ward.passed or time.monotonic() > deadline:
                for group in list(ward.steps.values()):
                    group.kill()
            if time.monotonic() > 2 * _LAST_WORDS + deadline:
                _log.error("a step of %s does not end", ward.mark)
                return
            time.sleep(_LOOK_EVERY)


def _last_exception(variable: str) -> str | None:
    """Where the mark stands: the last host of NO_PROXY, as one whole name."""
    name, _, value = variable.partition("=")
    return value.rpartition(",")[2] if name.upper() == "NO_PROXY" else None


def _folders(executor: pathlib.Path) -> set[str]:
    try:
        return {path.name for path in executor.iterdir() if path.is_dir()}
    except OSError:  # the engine goes away, and the build with it
        return set()


def _judge(ward: wards.Ward) -> errors.BuildHookError | None:
    groups = list(ward.steps.values())
    if any(group.was_killed() for group in groups) or _memory(groups) > ward.ceiling.memory:
        return _too_much("memory", ward.ceiling)
    if any(group.was_refused() for group in groups):
        return _too_much("pids", ward.ceiling)
    return None


def _memory(groups: Iterable[cgroups.Group]) -> int:
    return sum(group.memory() for group in groups)


def _too_much(what: str, ceiling: cgroups.Ceiling) -> errors.LimitError:
    most = f"{ceiling.memory // 2**20} MiB of memory"
    if what == "pids":
        most = f"{ceiling.pids} processes"
    return errors.LimitError(
        f"The build wanted more than {most} and was stopped",
        f"Make it more modest, or raise build.limits.{what} of the project",
    )
