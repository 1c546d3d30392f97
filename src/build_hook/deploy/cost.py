"""What a deploy cost its users: counted by the proxy, and felt by a probe during the cutover."""

import collections.abc
import contextlib
import dataclasses
import http.client
import ssl
import threading
import time

from build_hook import errors, project, service, settings
from build_hook.proxy import runtime

_EVERY = 0.02
_PROBE_TIMEOUT = 30.0  # a probe that waits is a gap, not a failure
_COUNTED = {"http": (("req_tot",), ("hrsp_5xx",)), "tcp": (("stot",), ("econ", "eresp"))}


@dataclasses.dataclass(frozen=True, slots=True)
class Cost:
    """Requests (TCP: connections) served and failed, and the longest time nobody answered.

    ``failed`` counts answers of 5xx whoever gave them, and connections that found nobody. The
    gap is known only where a path for probes is.
    """

    requests: int
    failed: int
    longest_gap_ms: int | None


class Meter(threading.Thread):
    """Asks for a path again and again; remembers the longest time without an answer."""

    def __init__(self, address: str, port: service.Port, path: str) -> None:
        super().__init__(name=f"meter-{port.published}", daemon=True)
        self._where = (address, port.published)
        self._path = path
        self._headers = {"User-Agent": "build-hook"}
        if port.hosts:
            self._headers["Host"] = port.hosts[0].replace("*", "build-hook")
        self._tls = _any_certificate() if port.certificates else None
        self._done = threading.Event()
        self._answered = time.monotonic()
        self.longest_gap = 0.0

    def run(self) -> None:
        """Ask until told to stop."""
        while not self._done.is_set():
            begun = time.monotonic()
            if self._asks():
                self._note()
            self._done.wait(max(0.0, _EVERY - (time.monotonic() - begun)))

    def stop(self) -> float:
        """End; the longest gap in seconds."""
        self._done.set()
        self.join(1.0)
        return self.longest_gap

    def _note(self) -> None:
        now = time.monotonic()
        self.longest_gap = max(self.longest_gap, now - self._answered)
        self._answered = now

    def _asks(self) -> bool:
        try:
            with contextlib.closing(self._connection()) as connection:
                connection.request("GET", self._path, headers=self._headers)
                return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False

    def _connection(self) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection(*self._where, timeout=_PROBE_TIMEOUT)
        return http.client.HTTPSConnection(*self._where, timeout=_PROBE_TIMEOUT, context=self._tls)


class Accountant:
    """Keeps the accounts of deploys on one proxy."""

    def __init__(self, with_settings: settings.Settings) -> None:
        listens_on = with_settings.publish_address
        self._address = "127.0.0.1" if listens_on in ("0.0.0.0", "::") else listens_on  # noqa: S104
        self._runtime = runtime.Runtime(with_settings.run)

    @contextlib.contextmanager
    def account(
        self, of: project.Project, note: collections.abc.Callable[[Cost], None]
    ) -> collections.abc.Generator[None]:
        """Measure what the block costs the users of a project, and hand that to ``note``.

        Nothing is noted where the proxy was reloaded meanwhile: its counters begin anew then.
        Datagrams have no account: who sends one is not told whether it came.
        """
        if not of.stream_ports:
            yield
            return
        before = self._counters(of)
        meter = self._meter(of)
        try:
            yield
        finally:
            gap = meter and round(1000 * meter.stop())
            after = self._counters(of)
            if before is not None and after is not None and after >= before:
                note(Cost(after[0] - before[0], max(0, after[1] - before[1]), gap))

    def _meter(self, of: project.Project) -> Meter | None:
        asked = [port for port in of.stream_ports if port.app_protocol == "http"]
        if of.health.path is None or not asked:
            return None
        meter = Meter(self._address, asked[0], of.health.path)
        meter.start()
        return meter

    def _counters(self, of: project.Project) -> tuple[int, int] | None:
        try:
            rows = self._runtime.statistics()
        except errors.ProxyError:
            return None
        requests = failed = 0
        for port in of.stream_ports:
            served, lost = _COUNTED[port.app_protocol]
            row = rows.get((f"{of.name}-{port.published}", "BACKEND"))
            requests += _sum(row, served)
            failed += _sum(row, lost)
        return requests, failed


def _any_certificate() -> ssl.SSLContext:
    """TLS as a meter needs it: it measures our own proxy, whatever it shows."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _sum(row: dict[str, str] | None, columns: tuple[str, ...]) -> int:
    return sum(int((row or {}).get(column) or 0) for column in columns)
