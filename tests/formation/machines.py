"""Machines that units live on: a folder of this one, or a container with systemd."""

import dataclasses
import os
import pathlib
import shutil
import subprocess
from typing import Protocol

TIMEOUT = 600


@dataclasses.dataclass(frozen=True)
class Ran:
    """How a dispatch ended."""

    status: int
    output: str
    processor: float | None = None
    """Seconds of processor time that it took, where that is known."""
    seconds: float | None = None
    """What it took by the machine's own clock, likewise."""


class Machine(Protocol):
    """A place for charms."""

    id: str
    address: str

    def put(self, unit: str, folder: pathlib.Path) -> None:
        """Bring a charm's folder, over the one that is there."""
        ...

    def environment(self, unit: str) -> dict[str, str]:
        """Where the unit finds its folder, the hook commands and the agent."""
        ...

    def dispatch(self, unit: str, environment: dict[str, str]) -> Ran:
        """Run the charm once."""
        ...

    def store(self, name: str) -> str:
        """Make room for a storage; where it is."""
        ...

    def forget(self, unit: str) -> None:
        """Remove a unit's folder."""
        ...


def tag(unit: str) -> str:
    """A unit's name as folders have it."""
    return f"unit-{unit.replace('/', '-')}"


@dataclasses.dataclass
class Folder:
    """A machine that is no more than a folder: for the emulator's own tests."""

    id: str
    agent: pathlib.Path
    root: pathlib.Path
    address: str = "127.0.0.1"

    def put(self, unit: str, folder: pathlib.Path) -> None:
        """Copy the charm."""
        shutil.copytree(folder, self._charm(unit), dirs_exist_ok=True)

    def environment(self, unit: str) -> dict[str, str]:
        """Paths of this machine."""
        return {
            "PATH": f"{self.agent / 'tools'}:{os.environ['PATH']}",
            "JUJU_CHARM_DIR": str(self._charm(unit)),
            "JUJU_AGENT_SOCKET_ADDRESS": str(self.agent / "agent.sock"),
        }

    def dispatch(self, unit: str, environment: dict[str, str]) -> Ran:
        """Run the charm here."""
        charm = self._charm(unit)
        done = subprocess.run(
            [str(charm / "dispatch")], cwd=charm, env=environment, check=False, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT,
        )  # fmt: skip
        return Ran(done.returncode, done.stdout)

    def store(self, name: str) -> str:
        """A folder of its own."""
        path = self.root / self.id / "storage" / name
        path.mkdir(parents=True)
        return str(path)

    def forget(self, unit: str) -> None:
        """Remove the copy."""
        shutil.rmtree(self._charm(unit).parent)

    def _charm(self, unit: str) -> pathlib.Path:
        return self.root / self.id / tag(unit) / "charm"
