"""Where a project's traffic goes, and the commands that move it."""

import dataclasses
import math
from collections.abc import Iterable, Mapping

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
class Place:
    """A project on the proxy; without a target its ports answer 503."""

    project: project.Project
    slot: int | None = None
    addresses: tuple[str, ...] = ()
    holds: bool = False

    @property
    def serves(self) -> bool:
        """Whether its traffic goes somewhere."""
        return any(self.addresses)

    @property
    def listeners(self) -> list[rendering.Listener]:
        """Its published ports, with what each slot of them does."""
        return rendering.listeners(self.project, self.slot, self.addresses, holds=self.holds)

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


def switch_commands(old: Place | None, new: Place) -> list[str]:
    """HAProxy's commands that make the new place take what the old one had."""
    commands: list[str] = []
    for listener in new.listeners:
        for slot in listener.slots:
            if slot.is_live:
                server = f"{listener.name}/{slot.name}"
                commands += [
                    f"set server {server} addr {slot.address} port {slot.port}",
                    f"set server {server} state ready",
                ]
        for slot in listener.slots:
            if old and slot.index == old.slot and not slot.is_live:
                state = "drain" if old.slot != new.slot else "maint"
                commands.append(f"set server {listener.name}/{slot.name} state {state}")
    return commands


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


def sessions(
    place: Place, counters: Mapping[tuple[str, str], Mapping[str, str]]
) -> dict[int, int]:
    """How many sessions each slot has open, by HAProxy's counters."""
    return {
        index: sum(
            int(counters.get((listener.name, slot.name), {}).get("scur") or 0)
            for listener in place.listeners
            for slot in listener.slots
            if slot.index == index
        )
        for index in range(rendering.SLOTS)
    }


def close_commands(servers: Iterable[runtime.ServerState]) -> list[str]:
    """HAProxy's commands that end all sessions of these slots."""
    names = [f"{server.backend}/{server.name}" for server in servers]
    return [
        command
        for name in names
        for command in (f"set server {name} state maint", f"shutdown sessions server {name}")
    ]


def hold_commands(place: Place, seconds: float) -> list[str]:
    """The commands, of our own (hold.lua), that let new requests wait."""
    return [f"build-hook hold {i.name} {math.ceil(seconds)}" for i in place.listeners]


def go_commands(place: Place) -> list[str]:
    """The commands that let them go on."""
    return [f"build-hook go {i.name}" for i in place.listeners if i.holds]
