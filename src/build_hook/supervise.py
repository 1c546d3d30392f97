"""One command for one machine: keeps proxy, worker and web alive.

It holds web's listening socket itself, so that a web that is killed refuses nobody: connections
wait until the next one takes them.
"""

import contextlib
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence

import click

from build_hook import errors, settings
from build_hook.proxy import process

_PATIENCE = 10.0
_QUICK = 1.0
_SLOWEST = 5.0
_STOP, _CHILD = b"s", b"c"


class Child:
    """A process that is started again whenever it ends."""

    def __init__(
        self, name: str, argv: Callable[[], Sequence[str]], run: pathlib.Path, fd: int | None
    ) -> None:
        self.name = name
        self._argv = argv
        self._pid_file = run / f"{name}.pid"
        self._fds = () if fd is None else (fd,)
        self._process: subprocess.Popen[bytes] | None = None
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
            _say(f"{self.name} could not be started yet: {error}")
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
            _say(f"{self._pid_file} does not name process {self._process.pid}: {error}")

    def _reap(self, now: float) -> None:
        assert self._process is not None  # noqa: S101 - the caller looked
        self._signal(signal.SIGKILL)  # what it left: gunicorn's workers, HAProxy's
        _say(f"{self.name} ended ({self._process.returncode}), starting it again")
        quick = now - self._started < _QUICK
        self._delay = min(_SLOWEST, self._delay * 2 or 0.1) if quick else 0.0
        self._due = now + self._delay
        self._process = None

    def _signal(self, number: int) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


def serve(with_settings: settings.Settings) -> None:
    """Run until SIGTERM or SIGINT; the containers go on running.

    Raises:
        SettingsError: if web's address cannot be listened on.
    """
    listener = _listen(with_settings)
    run = with_settings.run
    ours = (sys.executable, "-m", "build_hook", "--state", str(with_settings.state))
    children = [
        Child("proxy", lambda: process.command(with_settings), run, None),
        Child("worker", lambda: (*ours, "worker"), run, None),
        Child(
            "web", lambda: (*ours, "web", "--fd", str(listener.fileno())), run, listener.fileno()
        ),
    ]
    if with_settings.loki_urls:
        children.append(Child("ship", lambda: (*ours, "ship"), run, None))
    with _signals() as told:
        _keep(children, told)
    for child in reversed(children):
        child.stop()
    for child in reversed(children):
        child.wait(_PATIENCE)


def _keep(children: Sequence[Child], told: int) -> None:
    while True:
        for child in children:
            child.keep()
        if select.select([told], [], [], 0.1)[0] and _STOP in os.read(told, 1024):
            return


def _listen(with_settings: settings.Settings) -> socket.socket:
    address = (with_settings.listen, with_settings.port)
    try:
        family = socket.AF_INET6 if ":" in with_settings.listen else socket.AF_INET
        listener = socket.create_server(address, family=family, backlog=2048)
    except OSError as error:
        raise errors.SettingsError(
            f"Web cannot listen on {address[0]}:{address[1]}: {os.strerror(error.errno or 0)}",
            "Choose another with --port or BUILD_HOOK_PORT",
        ) from error
    listener.set_inheritable(True)
    port = listener.getsockname()[1]
    (with_settings.run / "web.port").write_text(f"{port}\n", encoding="ascii")
    _say(f"web listens on {address[0]}:{port}")
    return listener


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # where that goes may be full
        click.echo(text, err=True)


@contextlib.contextmanager
def _signals() -> Generator[int]:
    """A file descriptor that tells of signals: to stop, or that a child has ended."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)

    def note(number: int, _: object) -> None:
        with contextlib.suppress(BlockingIOError):  # full: there is enough to read
            os.write(writer, _CHILD if number == signal.SIGCHLD else _STOP)

    known = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
    previous = {number: signal.signal(number, note) for number in known}
    try:
        yield reader
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)
