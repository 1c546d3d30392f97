"""The gate: a new container proves itself before it gets traffic."""

import http.client
import io
import pathlib
import socket
import time
from collections.abc import Callable
from typing import Any

from build_hook import errors, project
from build_hook.deploy import containers

_PROBE_TIMEOUT = 2.0

Look = Callable[[], containers.Container | None]


def prove(
    of: project.Project, look: Look, check_stop: Callable[[], None], log: Callable[[str], None]
) -> containers.Container:
    """Wait until the container is fit for traffic and return it as it is then.

    Fit means: it runs, was never restarted, has run for ``min_uptime``; the image's own
    HEALTHCHECK (if any) says healthy; and so many probes in a row succeeded.

    Args:
        of: the project, with its rules.
        look: inspects the container.
        check_stop: is called now and then; what it raises goes through.
        log: is told what is waited for.

    Raises:
        GateError: as soon as the container cannot become fit, or at the deadline.
    """
    rules = of.health
    begun = time.monotonic()
    deadline = begun + rules.timeout
    row, last = 0, ""
    while True:
        check_stop()
        found = require_alive(look())
        missing = lack(of, found)
        row = row + 1 if missing is None else 0
        # by either clock: that of the wall may be set back, or be another one than the engine's
        youngest = max(one.started for one in found.every)
        age = max(time.time() - youngest, time.monotonic() - begun)
        if row >= rules.successes and age >= rules.min_uptime:
            return found
        if missing is not None and missing != last:
            log(f"waiting: {missing}")
            last = missing
        if time.monotonic() > deadline:
            raise errors.GateError(
                f"The container was not ready after {rules.timeout:g} s: {missing or 'too young'}",
                "Read its last lines in the log; raise health.timeout if it only needs longer",
            )
        time.sleep(rules.interval)


def require_alive(found: containers.Container | None) -> containers.Container:
    """Make sure that a container runs and has not been restarted.

    Raises:
        GateError: with the exit status, if it does not.
    """
    if found is None:
        raise errors.GateError("The container was removed by somebody else")
    for one in found.every:
        _require_alive(one, f"Replica {one.replica}" if found.others else "The container")
    return found


def _require_alive(found: containers.Container, it: str) -> None:
    if found.out_of_memory:
        killed = errors.GateError(
            f"{it} ran out of memory and was killed",
            "Raise deploy.resources.limits.memory, or let it need less",
        )
        killed.exit_code = found.exit_code or None  # one that runs has lost a child only
        raise killed
    if not found.is_running or found.restarts:
        died = errors.GateError(
            f"{it} died with exit status {found.exit_code}",
            "Read its last lines in the log, fix, push",
        )
        died.exit_code = found.exit_code
        raise died
    if found.health == "unhealthy":
        raise errors.GateError("The image's HEALTHCHECK says unhealthy")


def lack(of: project.Project, found: containers.Container) -> str | None:
    """What a version lacks; None if all its replicas answer."""
    return next((said for one in found.every if (said := _lack_of(of, one))), None)


def _lack_of(of: project.Project, found: containers.Container) -> str | None:
    if found.health not in (None, "healthy"):
        return f"the HEALTHCHECK says {found.health}"
    if found.address is None:
        return "it has no address"
    for port in of.datagram_ports:
        if not _listens(found.pid, port.target):
            return f"nobody listens on UDP port {port.target}"
    if of.health.path is not None:
        port = of.health.port or (of.stream_ports[0].target if of.stream_ports else 80)
        return _http_lack(found.address, port, of.health.path)
    lacks = (_tcp_lack(found.address, port.target) for port in of.stream_ports)
    return next((lack for lack in lacks if lack), None)


def _listens(pid: int, port: int) -> bool:
    """Whether a process of the container has a UDP socket there; yes if that cannot be told.

    Nothing is sent: what an application makes of a datagram of ours, nobody knows.
    """
    tables = [pathlib.Path(f"/proc/{pid}/net/{name}") for name in ("udp", "udp6")]
    try:
        rows = [row for table in tables for row in table.read_text("ascii").splitlines()]
    except OSError:
        return True
    return any(row.split()[1].endswith(f":{port:04X}") for row in rows)


def _http_lack(address: str, port: int, path: str) -> str | None:
    deadline = time.monotonic() + _PROBE_TIMEOUT
    connection = http.client.HTTPConnection(address, port, timeout=_PROBE_TIMEOUT)
    try:
        connection.request("GET", path, headers={"User-Agent": "build-hook"})
        status = _status(connection.sock, deadline)
    except (OSError, http.client.HTTPException) as error:
        return f"port {port} does not answer GET {path} ({type(error).__name__})"
    finally:
        connection.close()
    return None if 200 <= status < 400 else f"GET {path} answers {status}"


def _status(answering: socket.socket, deadline: float) -> int:
    answer = http.client.HTTPResponse(answering)
    answer.fp.close()
    answer.fp = io.BufferedReader(_Until(answering, deadline))
    answer.begin()
    return answer.status


class _Until(io.RawIOBase):
    """What a socket says until a moment: one that drips has no more time than one that is mute."""

    def __init__(self, of: socket.socket, deadline: float) -> None:
        self._socket = of
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._socket.settimeout(left)
        return self._socket.recv_into(buffer)


def _tcp_lack(address: str, port: int) -> str | None:
    try:
        socket.create_connection((address, port), timeout=_PROBE_TIMEOUT).close()
    except OSError as error:
        return f"port {port} takes no connection ({type(error).__name__})"
    return None
