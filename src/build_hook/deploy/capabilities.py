"""Rights that a worker has been given without being root (capabilities(7)).

Limits of builds take two: to write into root's control groups and see where the engine keeps the
steps, and to kill a step. They are the worker's own: programs that it starts, above all
those that a repository brings, do not inherit them. See docs/adr/0028.
"""

import contextlib
import ctypes
import pathlib

# linux/capability.h
_OF_LIMITS = {"CAP_DAC_OVERRIDE": 1, "CAP_KILL": 5}
# linux/prctl.h
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_LOWER = 47, 3


def keep_to_ourselves() -> None:
    """Have what is started from this thread, and from threads of it, go without them."""
    libc = ctypes.CDLL(None, use_errno=True)
    for number in _OF_LIMITS.values():
        libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_LOWER, number, 0, 0)


def may_limit(process: int | str = "self") -> bool:
    """Whether a process has the rights that limits of builds take."""
    wanted = sum(1 << number for number in _OF_LIMITS.values())
    return _effective(process) & wanted == wanted


def _effective(process: int | str) -> int:
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc", str(process), "status").read_text("ascii").splitlines():
            name, _, value = line.partition(":")
            if name == "CapEff":
                return int(value, 16)
    return 0
