"""A nudge from web or the command line to the worker, so that nothing is polled for.

A datagram on a Unix socket below the state folder. It may be lost: the worker also looks by
itself, every second.
"""

import contextlib
import enum
import pathlib
import socket


class Nudge(enum.StrEnum):
    """What the worker should look at."""

    QUEUE = "queue"
    RECONCILE = "reconcile"


def send(run: pathlib.Path, nudge: Nudge = Nudge.QUEUE) -> None:
    """Wake the worker, if there is one."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        with contextlib.suppress(OSError):  # no worker yet: it will look by itself
            sender.sendto(nudge.encode(), str(_path(run)))


class Listener:
    """The worker's end."""

    def __init__(self, run: pathlib.Path) -> None:
        path = _path(run)
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        path.chmod(0o660)

    def wait(self, seconds: float) -> set[Nudge]:
        """Sleep until a nudge comes; all that have come, nothing after ``seconds``."""
        nudges: set[Nudge] = set()
        self._socket.settimeout(seconds)
        with contextlib.suppress(OSError, ValueError):
            while True:
                nudges.add(Nudge(self._socket.recv(64).decode()))
                self._socket.settimeout(0)
        return nudges

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()


def _path(run: pathlib.Path) -> pathlib.Path:
    return run / "worker.sock"
