"""HAProxy's sockets: the runtime API of its worker, and the master that reloads."""

import contextlib
import csv
import dataclasses
import io
import pathlib
import re
import socket
import time

from build_hook import errors

_TIMEOUT = 5.0
_MASTER_RETURNS = 2.0
_LOOK_EVERY = 0.02
# srv_admin_state of "show servers state" (HAProxy management guide, section 9.3)
_MAINTENANCE = 0x01
_DRAINING = 0x08
# Frontends are called port.80; before there were host names, PROJECT-80.
_PORT = re.compile(r".*[.-](\d+)")


@dataclasses.dataclass(frozen=True, slots=True)
class ServerState:
    """One server line as HAProxy sees it now."""

    backend: str
    name: str
    address: str
    port: int
    admin_state: int

    @property
    def is_ready(self) -> bool:
        """Whether it takes new traffic."""
        return not self.admin_state & (_MAINTENANCE | _DRAINING)


@dataclasses.dataclass(frozen=True, slots=True)
class Load:
    """How many sessions are open on one server line of one worker."""

    backend: str
    name: str
    address: str
    sessions: int


class Runtime:
    """Speaks to a running HAProxy."""

    def __init__(self, run: pathlib.Path) -> None:
        self._worker = run / "haproxy.sock"
        self._master = run / "haproxy-master.sock"

    def is_up(self) -> bool:
        """Whether HAProxy answers."""
        try:
            self.process_id()
        except errors.ProxyError:
            return False
        return True

    def process_id(self) -> int:
        """The process id of the worker that owns the runtime socket."""
        answer = self._ask(self._worker, "show info")
        for line in answer.splitlines():
            if line.startswith("Pid: "):
                return int(line.removeprefix("Pid: "))
        raise errors.ProxyError(f"HAProxy's answer has no Pid: {answer[:100]!r}")

    def command(self, *commands: str) -> str:
        """Send commands that answer nothing when they succeed; return what they say else."""
        if not commands:
            return ""
        return self._ask(self._worker, ";".join(commands)).strip()

    def tell_old(self, *commands: str) -> None:
        """Send commands to all workers from before a reload."""
        for process in self._old_workers():
            for command in commands:
                self._ask_master(f"@!{process} {command}")

    def servers(self, backend: str = "") -> list[ServerState]:
        """All server lines, or those of one backend."""
        return _states(self._ask(self._worker, f"show servers state {backend}".rstrip()))

    def statistics(self) -> dict[tuple[str, str], dict[str, str]]:
        """The counters of every frontend, backend and server, by (backend, server)."""
        return _counters(self._ask(self._worker, "show stat"))

    def published_ports(self) -> set[int]:
        """The ports that HAProxy listens on for us."""
        rows = self._ask(self._worker, "show stat -1 1 -1").splitlines()
        found = (_PORT.fullmatch(row.partition(",")[0]) for row in rows)
        return {int(name[1]) for name in found if name}

    def loads(self) -> list[Load]:
        """The open sessions of all servers, also those of workers from before a reload."""
        found = _loads(self.servers(), self.statistics())
        for process in self._old_workers():
            states = self._ask_master(f"@!{process} show servers state")
            counters = self._ask_master(f"@!{process} show stat")
            found += _loads(_states(states), _counters(counters))
        return found

    def reload(self) -> None:
        """Make the master take over the configuration file; connections are kept.

        Raises:
            ProxyError: if the new configuration is not in force within a few seconds.
        """
        before = self.process_id()
        self._ask_master("reload")
        deadline = time.monotonic() + _TIMEOUT
        while time.monotonic() < deadline:
            time.sleep(_LOOK_EVERY)
            with contextlib.suppress(errors.ProxyError):
                if self.process_id() != before:
                    return
        raise errors.ProxyError(
            "HAProxy did not take over its new configuration",
            "Its log says why; what it served before is still served",
        )

    def _old_workers(self) -> list[str]:
        """The process ids of workers from before a reload that still serve connections."""
        answer = self._ask_master("show proc")
        rows = answer.partition("# old workers")[2].partition("# programs")[0].splitlines()
        return [row.split()[0] for row in rows if "worker" in row]

    def _ask_master(self, command: str) -> str:
        """Ask the master, which answers nobody for a moment when it has just been reloaded."""
        deadline = time.monotonic() + _MASTER_RETURNS
        while True:
            try:
                return self._ask(self._master, command)
            except errors.ProxyError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(_LOOK_EVERY)

    def _ask(self, path: pathlib.Path, command: str) -> str:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(_TIMEOUT)
                connection.connect(str(path))
                connection.sendall(f"{command}\n".encode())
                connection.shutdown(socket.SHUT_WR)
                return b"".join(iter(lambda: connection.recv(65_536), b"")).decode()
        except OSError as error:
            raise errors.ProxyError(
                "The proxy does not answer", "build-hook serve (or systemd) starts it again"
            ) from error


def _states(answer: str) -> list[ServerState]:
    """The rows below the header; of an old worker that has just ended the master has neither."""
    rows = answer.splitlines()
    header = next((row for row in rows if row.startswith("# ")), "# ").removeprefix("# ").split()
    if not header:
        return []
    entries = (
        dict(zip(header, row.split(), strict=False))
        for row in rows
        if row and not row.startswith("#") and " " in row
    )
    return [
        ServerState(
            backend=entry["be_name"],
            name=entry["srv_name"],
            address=entry["srv_addr"],
            port=int(entry["srv_port"]),
            admin_state=int(entry["srv_admin_state"]),
        )
        for entry in entries
    ]


def _counters(answer: str) -> dict[tuple[str, str], dict[str, str]]:
    rows = csv.DictReader(io.StringIO(answer.removeprefix("# ")))
    if "pxname" not in (rows.fieldnames or ()):
        return {}
    return {(row["pxname"], row["svname"]): row for row in rows}


def _loads(
    servers: list[ServerState], counters: dict[tuple[str, str], dict[str, str]]
) -> list[Load]:
    return [
        Load(
            server.backend,
            server.name,
            server.address,
            int(counters.get((server.backend, server.name), {}).get("scur") or 0),
        )
        for server in servers
    ]
