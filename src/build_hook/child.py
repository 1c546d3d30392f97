"""A process that ``serve`` keeps alive."""

import contextlib
import os
import pathlib
import signal
import subprocess
import time
from collections.abc import Callable, Sequence

import click

from build_hook import succession

_QUICK = 1.0
_SLOWEST = 5.0


class Child:
    """A process that is started again whenever it ends."""

    def __init__(
        self, name: str, argv: Callable[[], Sequence[str]], run: pathlib.Path, fd: int | None
    ) -> None:
        self.name = name
        self._argv = argv
        self._pid_file = run / f"{name}.pid"
        self._fds = () if fd is None else (fd,)
        self._process: subprocess.Popen[bytes] | succession.Heir | None = None
        self._due = 0.0
        self._delay = 0.0
        self._started = 0.0

    def keep(self) -> None:
        """Start it if it does not run, with growing patience where it ends at once."""
        if self._process is not None and self._process.poll() is None:
            return
        now = time.monotonic()
        if self._process is not None:
            self._reap(now)
        if now >= self._due:
            self._try_to_start(now)

    @property
    def pid(self) -> int | None:
        """Its process id, if it runs."""
        runs = self._process is not None and self._process.poll() is None
        return self._process.pid if self._process is not None and runs else None

    def inherit(self, pid: int | None) -> None:
        """Take it as running already."""
        self._process = succession.Heir(pid) if pid else None

    def stop(self) -> None:
        """Ask it to end."""
        self._signal(signal.SIGTERM)

    def wait(self, seconds: float) -> None:
        """Wait for its end; kill it and its children after that time."""
        if self._process is None:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._pid_file.unlink(missing_ok=True)

    def _try_to_start(self, now: float) -> None:
        """What runs beside it must not end with it, on a full disk or without a free process."""
        try:
            self._start(now)
        except OSError as error:
            say(f"{self.name} could not be started yet: {error}")
            self._due = now + _SLOWEST

    def _start(self, now: float) -> None:
        # setpriv: if we are killed, they end as well and do not hold ports and locks
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "--", *self._argv()],
            stdin=subprocess.DEVNULL,
            pass_fds=self._fds,
            start_new_session=True,
        )
        self._started = now
        try:
            self._pid_file.write_text(f"{self._process.pid}\n", encoding="ascii")
        except OSError as error:
            say(f"{self._pid_file} does not name process {self._process.pid}: {error}")

    def _reap(self, now: float) -> None:
        assert self._process is not None  # noqa: S101 - the caller looked
        self._signal(signal.SIGKILL)  # what it left: gunicorn's workers, HAProxy's
        say(f"{self.name} ended ({self._process.returncode}), starting it again")
        quick = now - self._started < _QUICK
        self._delay = min(_SLOWEST, self._delay * 2 or 0.1) if quick else 0.0
        self._due = now + self._delay
        self._process = None

    def _signal(self, number: int) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


def say(text: str) -> None:
    """Tell the operator."""
    with contextlib.suppress(OSError):  # where that goes may be full
        click.echo(text, err=True)
