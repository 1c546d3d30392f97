"""Processes that carry a mark in their environment: they are ours, wherever they went.

A script may put work into the background, or into a session of its own: neither its exit nor
its process group tells when all of it has ended. Children inherit the environment.
"""

import contextlib
import os
import pathlib
import signal
import time
from collections.abc import Callable

_PROC = pathlib.Path("/proc")
_LOOK_EVERY = 0.1
_PATIENCE = 5.0


def alive(variable: str, value: str) -> list[int]:
    """The processes with that variable in their environment; one that has ended has none."""
    mark = f"{variable}={value}".encode()
    return [pid for pid in _pids() if mark in _environment(pid)]


def wait(variable: str, value: str, *, deadline: float, check_stop: Callable[[], None]) -> None:
    """Wait until no process carries the mark.

    Raises:
        TimeoutError: if some still do at ``deadline``, a time of ``time.monotonic``.
    """
    while alive(variable, value):
        check_stop()
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(_LOOK_EVERY)


def end(variable: str, value: str) -> None:
    """Ask all of them to end, and kill those that do not."""
    deadline = time.monotonic() + _PATIENCE
    number = signal.SIGTERM
    while left := alive(variable, value):
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        if time.monotonic() > deadline:
            number = signal.SIGKILL
        if time.monotonic() > deadline + _PATIENCE:
            return
        time.sleep(_LOOK_EVERY)


def _pids() -> list[int]:
    own = os.getpid()
    return [int(p.name) for p in _PROC.iterdir() if p.name.isdigit() and int(p.name) != own]


def _environment(pid: int) -> list[bytes]:
    try:
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []
