"""``serve`` in its own place: newer code takes over what must go on, proxy and web's socket.

The process stays the same, so the proxy stays its child, and a service manager sees no restart.
"""

import contextlib
import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import NoReturn

# Not with the prefix of settings: it is none.
_VARIABLE = "BUILDHOOK_SUCCESSION"


@dataclasses.dataclass(frozen=True, slots=True)
class Estate:
    """What is handed on: a file descriptor, and the process id of the proxy if it runs."""

    listener: int
    proxy: int | None


class Heir:
    """A child that an earlier program in this process has started, as Popen would show it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit status; None while it runs."""
        if self.returncode is None:
            try:
                ended, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # it ended, and its status went with the program before us
                ended, status = self.pid, 0
            if ended:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises:
            TimeoutExpired: if it runs on.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            time.sleep(0.02)
        return status


def inherited() -> Estate | None:
    """What the program before us in this process left; None for the first one."""
    text = os.environ.pop(_VARIABLE, "")
    return Estate(**json.loads(text)) if text else None


def hand_over(estate: Estate) -> NoReturn:
    """Run the same command anew in this process, with the code that is there now."""
    os.environ[_VARIABLE] = json.dumps(dataclasses.asdict(estate))
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)  # until the next program listens to it
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - our own command


def take_up(estate: Estate, address: tuple[str, int]) -> socket.socket | None:
    """Web's socket, if it is still the one that is wanted; it is closed if not."""
    listener = socket.socket(fileno=estate.listener)
    host, port = listener.getsockname()[:2]
    if host == address[0] and address[1] in (0, port):
        return listener
    with contextlib.suppress(OSError):
        listener.close()
    return None
