"""Where a project's traffic goes, and the commands that move it."""

import dataclasses
import math
import time
from collections.abc import Iterable

from build_hook import project
from build_hook.proxy import rendering, runtime


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """Where a version serves: the settings it was deployed with, its containers' addresses.

    An empty address is that of a replica that does not run.
    """

    project: project.Project
    addresses: tuple[str, ...]

    def shares(self, other: "Target") -> bool:
        """Whether one of its containers is one of another's too."""
        return bool(set(self.addresses) & set(other.addresses) - {""})


@dataclasses.dataclass(frozen=True, slots=True)
class Hold:
    """How long new requests wait: to that second of Unix time, and so many seconds at most."""

    until: int
    seconds: int

    @classmethod
    def lasting(cls, seconds: float) -> "Hold":
        """One that begins now."""
        return cls(math.ceil(time.time() + seconds), math.ceil(seconds))


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A project on the proxy; without a target its ports answer 503.

    ``holds`` if its requests can be told to wait, ``hold`` while they are.
    """

    project: project.Project
    slot: int | None = None
    addresses: tuple[str, ...] = ()
    holds: bool = False
    hold: Hold | None = None

    @property
    def serves(self) -> bool:
        """Whether its traffic goes somewhere."""
        return any(self.addresses)

    @property
    def listeners(self) -> list[rendering.Listener]:
        """Its published ports, with what each slot of them does."""
        return rendering.listeners(self.project, self.slot, self.addresses, holds=self.holds)

    @property
    def held(self) -> list[str]:
        """Its lines in the file that a new worker of HAProxy learns from what is held."""
        if self.hold is None:
            return []
        return [f"{i.name} {self.hold.until} {self.hold.seconds}" for i in self.listeners]

    @property
    def servers(self) -> frozenset[tuple[str, str]]:
        """The lines that take new traffic, as (backend, server)."""
        return frozenset(
            (listener.name, slot.name)
            for listener in self.listeners
            for slot in listener.slots
            if slot.is_live
        )


def slot_of(target: Target, now: Iterable[runtime.ServerState]) -> int | None:
    """The slot that sends traffic to a version already, after a restart of ours."""
    at = set(target.addresses) - {""}
    names = {item.name for item in rendering.listeners(target.project, None)}
    for state in now:
        if state.backend in names and state.address in at and state.is_ready:
            return rendering.slot_index(state.name)
    return None


def switch_commands(to: Place, now: Iterable[runtime.ServerState]) -> list[str]:
    """HAProxy's commands that make a place take what other slots have now.

    What is left may have sessions, but for a replica that ended beside others that serve on.
    """
    states = {(server.backend, server.name): server for server in now}
    commands: list[str] = []
    for listener in to.listeners:
        for slot in listener.slots:
            if slot.is_live:
                server = f"{listener.name}/{slot.name}"
                commands += [
                    f"set server {server} addr {slot.address} port {slot.port}",
                    f"set server {server} state ready",
                ]
        for slot in listener.slots:
            state = states.get((listener.name, slot.name))
            if state and state.is_ready and not slot.is_live:
                how = "maint" if slot.index == to.slot else "drain"
                commands.append(f"set server {listener.name}/{slot.name} state {how}")
    return commands


def move_commands(to: Place) -> list[str]:
    """The same in commands of our own (move.lua), for a worker that takes no others."""
    return [
        " ".join(
            (
                f"build-hook move {listener.name}",
                *(f"{s.name},{s.address},{s.port}" for s in listener.slots if s.is_live),
            )
        )
        for listener in to.listeners
    ]


def is_confirmed(place: Place, servers: Iterable[runtime.ServerState]) -> bool:
    """Whether HAProxy does as the place says: the live slot ready at its address, no other."""
    states = {(server.backend, server.name): server for server in servers}
    for listener in place.listeners:
        for slot in listener.slots:
            state = states.get((listener.name, slot.name))
            if state is None or state.is_ready != slot.is_live:
                return False
            if slot.is_live and (state.address, state.port) != (slot.address, slot.port):
                return False
    return True


def close_commands(servers: Iterable[runtime.ServerState]) -> list[str]:
    """HAProxy's commands that end all sessions of these slots."""
    names = [f"{server.backend}/{server.name}" for server in servers]
    return [
        command
        for name in names
        for command in (f"set server {name} state maint", f"shutdown sessions server {name}")
    ]


def hold_commands(place: Place) -> list[str]:
    """The commands, of our own (hold.lua), that let new requests wait."""
    if place.hold is None:
        return []
    return [f"build-hook hold {i.name} {place.hold.seconds}" for i in place.listeners]


def go_commands(place: Place | None) -> list[str]:
    """The commands that let them go on; without a place everywhere."""
    if place is None:
        return ["build-hook go"]
    return [f"build-hook go {i.name}" for i in place.listeners]
