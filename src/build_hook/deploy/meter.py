"""Asks a published port again and again while traffic moves: how long did nobody answer?"""

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable

from build_hook import errors, project, service, settings
from build_hook.proxy import entrance, frontends, rendering, runtime

# A probe that waits is a gap, not a failure.
_PATIENCE = 30.0
_RETURNS = 1.0

Probe = Callable[[], bool]


class Meter(threading.Thread):
    """Calls a probe every so many seconds; remembers the longest time without a good one."""

    def __init__(self, probe: Probe, every: float) -> None:
        super().__init__(name="meter", daemon=True)
        self._probe = probe
        self._every = every
        self._done = threading.Event()
        self._answered = time.monotonic()
        self._longest = 0.0

    def run(self) -> None:
        """Ask until told to stop."""
        while not self._done.is_set():
            begun = time.monotonic()
            if self._probe():
                self._longest = self._gap()
                self._answered = time.monotonic()
            self._done.wait(max(0.0, self._every - (time.monotonic() - begun)))

    def stop(self) -> float:
        """End; the longest gap in seconds, the one that has not ended included."""
        self._done.set()
        self.join(_RETURNS)
        return self._gap()

    def _gap(self) -> float:
        return max(self._longest, time.monotonic() - self._answered)


def of(asked: project.Project, with_settings: settings.Settings) -> Meter | None:
    """A meter as a project can have one: by its path for probes, else by connections.

    None where all that it publishes is UDP: nobody is told whether a datagram came.
    """
    ports = asked.stream_ports
    speaks = [port for port in ports if port.app_protocol == "http"]
    address = entrance.reached(with_settings.publish_address)
    if asked.health.path is not None and speaks:
        return Meter(Page(address, speaks[0], asked.health.path), every=0.02)
    if ports:
        backend = frontends.backend_name(asked, ports[0])
        return Meter(Way(with_settings, (address, ports[0].published), backend), every=0.05)
    return None


class Page:
    """Whether a path is answered, with anything but 5xx."""

    def __init__(self, address: str, port: service.Port, path: str) -> None:
        self._where = (address, port.published)
        self._path = path
        self._headers = {"User-Agent": "build-hook"}
        if port.hosts:
            self._headers["Host"] = port.hosts[0].replace("*", "build-hook")
        self._tls = _any_certificate() if port.certificates else None

    def __call__(self) -> bool:
        """Ask once."""
        try:
            with contextlib.closing(self._connection()) as connection:
                connection.request("GET", self._path, headers=self._headers)
                return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False

    def _connection(self) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection(*self._where, timeout=_PATIENCE)
        return http.client.HTTPSConnection(*self._where, timeout=_PATIENCE, context=self._tls)


class Way:
    """Whether a connection finds its way: published port, proxy, a container that takes it.

    The proxy takes connections whether or not it has anybody to pass them on to. So it is asked
    where it would, and that container is connected to as well. Nothing is said to an application
    whose language nobody told us; so nothing is added to its failures either.
    """

    def __init__(
        self, with_settings: settings.Settings, published: tuple[str, int], backend: str
    ) -> None:
        self._published = published
        self._backend = backend
        self._runtime = runtime.Runtime(with_settings.run)
        self._holds = rendering.holds_file(with_settings)

    def __call__(self) -> bool:
        """Try once."""
        try:
            ready = [server for server in self._runtime.servers(self._backend) if server.is_ready]
            return (
                _takes(self._published)
                and not self._is_held()
                and any(_takes((server.address, server.port)) for server in ready)
            )
        except (OSError, errors.ProxyError):
            return False

    def _is_held(self) -> bool:
        lines = self._holds.read_text(encoding="utf-8").splitlines()
        return any(line.partition(" ")[0] == self._backend for line in lines)


def _takes(where: tuple[str, int]) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(where, _RETURNS):
        return True
    return False


def _any_certificate() -> ssl.SSLContext:
    """TLS as a meter needs it: it measures our own proxy, whatever it shows."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
