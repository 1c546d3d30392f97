"""Where a project's traffic goes, and the commands that move it."""

import dataclasses

from build_hook import project
from build_hook.proxy import rendering


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """Where a version serves: the settings it was deployed with, its container's address."""

    project: project.Project
    address: str


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A project on the proxy; without a target its ports answer 503."""

    project: project.Project
    slot: int | None = None
    address: str | None = None

    @property
    def listeners(self) -> list[rendering.Listener]:
        """Its published ports, with what each slot of them does."""
        return rendering.listeners(self.project, self.slot, self.address)


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
        if old and old.slot is not None and old.slot != new.slot:
            server = f"{listener.name}/{rendering.slot_name(old.slot)}"
            commands.append(f"set server {server} state drain")
    return commands
