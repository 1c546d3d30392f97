"""A container as it is now, with the further replicas of its version."""

import dataclasses
import re
from collections.abc import Iterable
from typing import Any

from build_hook import labels
from build_hook.deploy import engine

# "Up 3 minutes (healthy)", "Up 2 seconds (health: starting)"
_HEALTH = re.compile(r"\((?:health: )?(starting|healthy|unhealthy)\)$")


@dataclasses.dataclass(frozen=True, slots=True)
class Container:
    """A container of ours as it is now; ``health`` is None where the image has no check.

    ``started`` is in Unix seconds; ``pid`` is the host's, 0 where nothing runs.
    """

    id: str
    name: str
    project: str
    build: int
    commit: str
    status: str
    address: str | None
    restarts: int
    exit_code: int
    out_of_memory: bool
    health: str | None
    started: float
    replica: int = 1
    pid: int = 0
    image: str = ""
    service: str = ""
    others: tuple["Container", ...] = ()
    """Further replicas of the same version: they live and end with it."""

    @property
    def unit(self) -> str:
        """What the proxy and the store know it by: its project, or PROJECT.SERVICE."""
        return f"{self.project}.{self.service}" if self.service else self.project

    @property
    def is_running(self) -> bool:
        """Whether its process runs now."""
        return self.status == "running"

    @property
    def every(self) -> tuple["Container", ...]:
        """All replicas of its version."""
        return (self, *self.others)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where its replicas serve, in their order; "" for one that does not run."""
        at = {one.replica: one.address or "" for one in self.every if one.is_running}
        return tuple(at.get(number, "") for number in range(1, max(at, default=0) + 1))


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """A container of ours started or died; ``is_end``: it was removed."""

    container: str
    project: str
    is_end: bool


def read(found: dict[str, Any], network: str) -> Container:
    """A container by what the engine says of it; its address is that on ``network``."""
    state, named = found["State"], found["Config"]["Labels"]
    networks = found["NetworkSettings"]["Networks"]
    return Container(
        id=found["Id"],
        name=found["Name"].removeprefix("/"),
        project=named[labels.PROJECT],
        build=int(named[labels.BUILD]),
        commit=named.get(labels.COMMIT, ""),
        status=state["Status"],
        address=_address(networks, network),
        restarts=found["RestartCount"],
        exit_code=state["ExitCode"],
        out_of_memory=state["OOMKilled"],
        health=state["Health"]["Status"] if state.get("Health") else None,
        started=engine.unix_time(state["StartedAt"]),
        replica=int(named.get(labels.REPLICA, "1")),
        pid=state["Pid"],
        image=found["Image"],
        service=named.get(labels.SERVICE, ""),
    )


def listed(entry: dict[str, Any], network: str) -> Container:
    """A container by what the engine's list says of it: without exit status."""
    named, health = entry["Labels"], _HEALTH.search(entry.get("Status", ""))
    address = _address(entry["NetworkSettings"]["Networks"], network)
    return Container(
        entry["Id"], entry["Names"][0].removeprefix("/"), named[labels.PROJECT],
        int(named[labels.BUILD]), named.get(labels.COMMIT, ""), entry["State"],
        address, 0, 0, False, health and health[1], float(entry["Created"]),
        int(named.get(labels.REPLICA, "1")), service=named.get(labels.SERVICE, ""),
    )  # fmt: skip


def versions(found: Iterable[Container]) -> list[Container]:
    """Containers as versions: the first replica of each, with the others."""
    of: dict[tuple[str, int], list[Container]] = {}
    for one in found:
        of.setdefault((one.unit, one.build), []).append(one)
    rows = (sorted(version, key=lambda one: one.replica) for version in of.values())
    return [dataclasses.replace(row[0], others=tuple(row[1:])) for row in rows]


def with_end(of: Container, api: Any) -> Container:
    """With what its last end was like: the engine forgets it when a container runs again."""
    if not of.restarts or not of.is_running:
        return of
    events = api.events(
        since="0",
        until=f"{engine.unix_time(api.info()['SystemTime']):.6f}",
        filters={"container": of.id, "event": ["die", "oom"]},
        decode=True,
    )
    happened = list(events)
    ends = [e["Actor"]["Attributes"]["exitCode"] for e in happened if e["Action"] == "die"]
    return dataclasses.replace(
        of,
        exit_code=int(ends[-1]) if ends else of.exit_code,
        out_of_memory=of.out_of_memory or any(e["Action"] == "oom" for e in happened),
    )


def _address(networks: dict[str, Any], network: str) -> str | None:
    """Where a container is reached: in our network, or on the host's own."""
    address = networks.get(network, {}).get("IPAddress")
    return address or ("127.0.0.1" if "host" in networks else None)
