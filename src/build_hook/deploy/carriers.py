"""Who carries what a step prints: the runtime in the foreground, and the engine above it.

What they take of the processors is work for a build that no control group of a step holds: a step
that prints without end has each of its lines passed on by both.
"""

import contextlib
import os
import pathlib
import time
from collections.abc import Iterable

PROC = pathlib.Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_NAMES = ("runc", "crun", "dockerd")
_TOP = "dockerd"
_LOWEST = 19


class Carriers:
    """The carriers of all steps that run, and the processors that they use."""

    def __init__(self, proc: pathlib.Path = PROC) -> None:
        self._proc = proc
        self._used: dict[int, float] = {}
        self._read_at = 0.0

    def follow(self, steps: Iterable[int]) -> None:
        """Take those of these processes of steps from now on, and no others.

        What passes lines for one step only gives way to everybody, as far as we may say so.
        """
        found = {carrier for pid in steps for carrier in self._above(pid)}
        self._used = {pid: self._used.get(pid, self._seconds(pid)) for pid in found}
        for pid in found:
            if self._look(pid)[0] != _TOP:
                _lower(self._proc / str(pid) / "task")

    def cpus(self) -> float:
        """Processors used since this was asked last; 0 where nobody can be seen."""
        now = time.monotonic()
        since, self._read_at = now - self._read_at, now
        before, self._used = self._used, {pid: self._seconds(pid) for pid in self._used}
        spent = sum(max(0.0, self._used[pid] - before[pid]) for pid in before)
        return spent / since

    def _above(self, pid: int) -> Iterable[int]:
        """From a step's process up to the engine."""
        name, pid, _ = self._look(pid)
        for _ in range(4):
            name, above, _ = self._look(pid)
            if name in _NAMES:
                yield pid
            if name == _TOP or above <= 1:
                return
            pid = above

    def _seconds(self, pid: int) -> float:
        return self._look(pid)[2]

    def _look(self, pid: int) -> tuple[str, int, float]:
        """Name, parent and processor time of a process; nothing of one that is gone."""
        try:
            text = (self._proc / str(pid) / "stat").read_text(encoding="ascii", errors="replace")
        except OSError:
            return "", 0, 0.0
        head, _, rest = text.rpartition(")")
        fields = rest.split()  # proc(5): the third field of all is the first one here
        return head.partition("(")[2], int(fields[1]), (int(fields[11]) + int(fields[12])) / _TICKS


def _lower(threads: pathlib.Path) -> None:
    with contextlib.suppress(OSError):  # gone, or not ours to say
        for thread in threads.iterdir():
            os.setpriority(os.PRIO_PROCESS, int(thread.name), _LOWEST)
