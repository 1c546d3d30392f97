"""Control groups: what a step of a build may take, and what it took.

Both versions of the kernel's interface (cgroups(7)); names are those of an OCI runtime
configuration, ``/parent/name`` or systemd's ``slice:prefix:name``.
"""

import contextlib
import dataclasses
import math
import os
import pathlib
import signal
from collections.abc import Iterator

from build_hook import errors

ROOT = pathlib.Path("/sys/fs/cgroup")
CONTROLLERS = ("cpu", "memory", "pids")
# Microseconds. Short, so that who waits for a processor behind a build does not wait long, but not
# so short that thousands of processes of a fork bomb are stopped and let go all the time; longer
# for a small share, since the kernel takes no quota below a millisecond.
_PERIOD = 20_000
_LEAST_QUOTA = 1_000
_LONGEST_PERIOD = 1_000_000
# A tenth of what everybody else has by default: what serves comes first where both want more
# than there is, and a build still gets on.
_WEIGHTS = {"cpu.weight": "10", "io.weight": "10", "cpu.shares": "102"}


@dataclasses.dataclass(frozen=True, slots=True)
class Ceiling:
    """The most that something may take: processors, bytes, processes."""

    cpus: float
    memory: int
    pids: int

    def share(self, of: int) -> "Ceiling":
        """What each of several may take; memory is not divided, its sum is watched."""
        return Ceiling(self.cpus / of, self.memory, max(1, self.pids // of))

    def within(self, other: "Ceiling") -> "Ceiling":
        """The lower of both, one by one."""
        return Ceiling(
            min(self.cpus, other.cpus),
            min(self.memory, other.memory),
            min(self.pids, other.pids),
        )


class Group:
    """One control group, in a hierarchy for each controller or in one for all."""

    def __init__(self, name: str, root: pathlib.Path = ROOT) -> None:
        path = _path(name)
        self._unified = is_unified(root)
        self._folders = {c: root / path if self._unified else root / c / path for c in CONTROLLERS}

    @property
    def is_there(self) -> bool:
        """Whether the runtime has made it, and not removed it yet."""
        return all(folder.is_dir() for folder in self._folders.values())

    def limit(self, to: Ceiling) -> None:
        """Set what it may take, and that it gives way; memory counts with swap.

        Raises:
            OSError: if it is gone, or not ours to write.
        """
        quota, period = _bandwidth(to.cpus)
        if self._unified:
            self._write("cpu", "cpu.max", f"{quota} {period}")
            self._write("memory", "memory.max", str(to.memory))
            with contextlib.suppress(FileNotFoundError):  # a kernel without swap
                self._write("memory", "memory.swap.max", "0")
        else:
            self._write("cpu", "cpu.cfs_period_us", str(period))
            self._write("cpu", "cpu.cfs_quota_us", str(quota))
            self._write("memory", "memory.limit_in_bytes", str(to.memory))
            with contextlib.suppress(FileNotFoundError):
                self._write("memory", "memory.memsw.limit_in_bytes", str(to.memory))
        self._write("pids", "pids.max", str(to.pids))
        for file, weight in _WEIGHTS.items():
            with contextlib.suppress(OSError):  # of the other version, or not in this kernel
                self._write("cpu", file, weight)

    def memory(self) -> int:
        """Bytes that cannot be had back by dropping caches."""
        found = self._numbers("memory", "memory.stat")
        return found.get("anon", found.get("rss", 0)) + found.get("shmem", 0)

    def was_killed(self) -> bool:
        """Whether the kernel killed a process of it for want of memory."""
        file = "memory.events" if self._unified else "memory.oom_control"
        return self._numbers("memory", file).get("oom_kill", 0) > 0

    def was_refused(self) -> bool:
        """Whether a process of it could not be started for their number."""
        return self._numbers("pids", "pids.events").get("max", 0) > 0

    def kill(self) -> None:
        """Kill what runs in it."""
        for pid in self._pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    @property
    def first(self) -> int:
        """The process that began it, or the oldest that is left; 0 if none is."""
        return min(self._pids(), default=0)

    def _pids(self) -> Iterator[int]:
        with contextlib.suppress(OSError):
            yield from map(int, (self._folders["pids"] / "cgroup.procs").read_text().split())

    def _write(self, controller: str, file: str, text: str) -> None:
        # never created: in a folder that is not a control group it would be a plain file
        handle = os.open(self._folders[controller] / file, os.O_WRONLY | os.O_TRUNC)
        try:
            os.write(handle, text.encode())
        finally:
            os.close(handle)

    def _numbers(self, controller: str, file: str) -> dict[str, int]:
        try:
            lines = (self._folders[controller] / file).read_text(encoding="ascii").splitlines()
        except OSError:  # the step has ended
            return {}
        pairs = (line.split() for line in lines)
        return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _bandwidth(cpus: float) -> tuple[int, int]:
    """Quota and period, in microseconds."""
    period = min(_LONGEST_PERIOD, max(_PERIOD, math.ceil(_LEAST_QUOTA / max(cpus, 1e-6))))
    return max(_LEAST_QUOTA, int(cpus * period)), period


def is_unified(root: pathlib.Path = ROOT) -> bool:
    """Whether this machine has the second version of the interface."""
    return (root / "cgroup.controllers").exists()


def require_writable(root: pathlib.Path = ROOT) -> None:
    """Make sure that limits can be set here.

    Raises:
        LimitError: if they cannot.
    """
    if is_unified(root):
        known = (root / "cgroup.controllers").read_text(encoding="ascii").split()
        absent = [c for c in CONTROLLERS if c not in known]
        closed = not _may_write(root / "cgroup.subtree_control")
    else:
        absent = [c for c in CONTROLLERS if not (root / c).is_dir()]
        closed = not all(_may_write(root / c) for c in CONTROLLERS)
    if absent:
        raise errors.LimitError(
            f"The kernel has no controller {', '.join(absent)} in {root}",
            "Turn it on, most often with cgroup_enable=memory on the kernel's command line",
        )
    if closed:
        raise errors.LimitError(
            f"The worker may not write to {root}",
            "Run the worker as root on the engine's host, or see docs/adr/0028",
        )


def _may_write(path: pathlib.Path) -> bool:
    """As what we are in effect: a service may have been given the right without being root."""
    return os.access(path, os.W_OK, effective_ids=True)


def _path(name: str) -> str:
    parts = name.split(":")
    if len(parts) != 3:
        return name.strip("/")
    slices, prefix, unit = parts
    return f"{_slice(slices)}/{prefix}-{unit}.scope"


def _slice(name: str) -> str:
    """``a-b.slice`` lies in ``a.slice`` (systemd.slice(5))."""
    words = name.removesuffix(".slice").split("-")
    return "/".join(f"{'-'.join(words[: n + 1])}.slice" for n in range(len(words)))
