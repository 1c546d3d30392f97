"""A machine with state, in the place of systemd and apt: neither can run in a unit test.

Files are real, below a temporary folder; accounts are all the one that runs the tests.
"""

import dataclasses
import os
import pathlib
import types
from collections.abc import Iterator


@dataclasses.dataclass
class FakeMachine:
    """What systemd, apt and the accounts of the machine would know."""

    folder: pathlib.Path
    programs: set[str] = dataclasses.field(
        default_factory=lambda: {"git", "haproxy", "nft", "conntrack"}
    )
    groups: set[str] = dataclasses.field(default_factory=lambda: {"docker"})
    users: dict[str, str | None] = dataclasses.field(default_factory=dict)
    units: set[str] = dataclasses.field(default_factory=set)
    enabled: set[str] = dataclasses.field(default_factory=set)
    changes: list[str] = dataclasses.field(default_factory=list)
    docker: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    listening: set[int] = dataclasses.field(default_factory=set)
    broken: set[str] = dataclasses.field(default_factory=set)
    crashed: set[str] = dataclasses.field(default_factory=set)
    taken: set[tuple[str, int]] = dataclasses.field(default_factory=set)
    filtered: list[str] = dataclasses.field(default_factory=list)
    rules: str = ""

    def run(self, *argv: str) -> str:
        """Docker's lists of what is ours, and removals from them."""
        if "--quiet" in argv:
            return "\n".join(self.docker.get(argv[1], []))
        self.changes.append(" ".join(argv))
        return ""

    def install(self, *packages: str) -> None:
        self.changes.append(f"install {' '.join(packages)}")
        self.programs |= set(packages)

    def has(self, program: str) -> bool:
        return program in self.programs

    def has_group(self, name: str) -> bool:
        return name in self.groups

    def ensure_user(self, name: str, group: str | None = None) -> None:
        if name not in self.users:
            self.changes.append(f"useradd {name}")
            self.users[name] = group
            self.groups.add(group or name)

    def remove_user(self, name: str) -> None:
        if name in self.users:
            self.changes.append(f"userdel {name}")
            del self.users[name]

    def packet_filter(self, name: str, *arguments: str) -> str:
        """What is asked of nft, conntrack and iptables."""
        self.filtered.append(" ".join((name, *arguments)))
        return self.rules if arguments[-2:] == ("-S", "DOCKER-USER") else ""

    def systemctl(self, verb: str, *arguments: str) -> None:
        from machine import MachineError

        units = [a for a in arguments if not a.startswith("-")]
        self.changes.append(" ".join([verb, *arguments]))
        if verb in ("start", "restart") and self.broken & set(units):
            raise MachineError(f"systemctl {verb} failed")
        if verb in ("start", "restart"):
            self.units |= set(units)
            self.listening |= set(self._asked_for(units))
        elif verb == "enable":
            self.enabled |= set(units)
        elif verb in ("stop", "disable"):
            self.units -= set(units)
            self.enabled -= set(units) if verb == "disable" else set()

    def _asked_for(self, units: list[str]) -> Iterator[int]:
        for unit in (unit for unit in units if unit.endswith(".socket")):
            self.listening.clear()
            text = (self.folder / "systemd" / unit).read_text()
            yield int(next(x for x in text.splitlines() if "Stream=" in x).rpartition(":")[2])

    def listens_on(self, unit: str) -> frozenset[int]:
        return frozenset(self.listening if unit in self.units else ())

    @property
    def restarted(self) -> set[str]:
        """The units among the changes that were restarted, together or one by one."""
        calls = (change.split() for change in self.changes)
        told = {word for verb, *words in calls if verb == "restart" for word in words}
        return told - {"--no-block"}

    def active(self, *units: str) -> frozenset[str]:
        return frozenset(units) & self.units

    def failed(self, *units: str) -> frozenset[str]:
        return frozenset(units) & self.crashed

    def is_free(self, address: str, port: int) -> bool:
        return (address, port) not in self.taken

    def getpwnam(self, _: str) -> types.SimpleNamespace:
        return types.SimpleNamespace(pw_uid=os.getuid())

    def getgrnam(self, _: str) -> types.SimpleNamespace:
        return types.SimpleNamespace(gr_gid=os.getgid())

    def snapshot(self) -> dict[str, tuple[int, int, bytes]]:
        """Every file below the folder: inode, time of change and content."""
        return {
            str(path.relative_to(self.folder)): _facts(path)
            for path in sorted(self.folder.rglob("*"))
        }


def _facts(path: pathlib.Path) -> tuple[int, int, bytes]:
    stat = path.stat()
    return stat.st_ino, stat.st_mtime_ns, path.read_bytes() if path.is_file() else b""
