"""One command for one machine: keeps proxy, worker and web alive.

It holds web's listening socket itself, so that a web that is killed refuses nobody: connections
wait until the next one takes them. On SIGUSR2 newer code takes over in the same process.
"""

import contextlib
import os
import select
import signal
import socket
import sys
from collections.abc import Generator, Sequence

from build_hook import child, errors, settings, succession
from build_hook.proxy import process

_PATIENCE = 10.0
_STOP, _CHILD, _AGAIN = b"s", b"c", b"a"
_SAYS = {signal.SIGCHLD: _CHILD, signal.SIGUSR2: _AGAIN}


def serve(with_settings: settings.Settings) -> None:
    """Run until SIGTERM or SIGINT; the containers go on running.

    After SIGUSR2 the code that is there then goes on in this process; the proxy runs on.

    Raises:
        SettingsError: if web's address cannot be listened on.
    """
    estate = succession.inherited()
    listener = _listener(with_settings, estate)
    proxy, *others = children = _children(with_settings, listener)
    proxy.inherit(estate.proxy if estate else None)
    with _signals() as told:
        if _keep(children, told) == _AGAIN:
            child.say("serve goes on with the code that is there now")
            _end(others)
            succession.hand_over(succession.Estate(listener.fileno(), proxy.pid))
    _end(children)


def _children(with_settings: settings.Settings, listener: socket.socket) -> list[child.Child]:
    run = with_settings.run
    ours = (sys.executable, "-m", "build_hook", "--state", str(with_settings.state))
    web = (*ours, "web", "--fd", str(listener.fileno()))
    children = [
        child.Child("proxy", lambda: process.command(with_settings), run, None),
        child.Child("worker", lambda: (*ours, "worker"), run, None),
        child.Child("web", lambda: web, run, listener.fileno()),
    ]
    if with_settings.loki_urls:
        children.append(child.Child("ship", lambda: (*ours, "ship"), run, None))
    return children


def _end(children: Sequence[child.Child]) -> None:
    for one in reversed(children):
        one.stop()
    for one in reversed(children):
        one.wait(_PATIENCE)


def _keep(children: Sequence[child.Child], told: int) -> bytes:
    """Until a signal says otherwise: ``_STOP`` or ``_AGAIN``."""
    while True:
        for one in children:
            one.keep()
        said = os.read(told, 1024) if select.select([told], [], [], 0.1)[0] else b""
        for end in (_STOP, _AGAIN):
            if end in said:
                return end


def _listener(with_settings: settings.Settings, estate: succession.Estate | None) -> socket.socket:
    address = (with_settings.listen, with_settings.port)
    found = succession.take_up(estate, address) if estate else None
    return found or _listen(with_settings)


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
    child.say(f"web listens on {address[0]}:{port}")
    return listener


@contextlib.contextmanager
def _signals() -> Generator[int]:
    """A file descriptor that tells of signals: to stop, to go on anew, that a child has ended."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)

    def note(number: int, _: object) -> None:
        with contextlib.suppress(BlockingIOError):  # full: there is enough to read
            os.write(writer, _SAYS.get(signal.Signals(number), _STOP))

    known = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2, signal.SIGCHLD)
    previous = {number: signal.signal(number, note) for number in known}
    try:
        yield reader
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)
