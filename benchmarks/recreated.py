"""A baseline: what ``docker compose up -d --build`` does to a service that publishes a port.

Compose builds with its cache, creates the new container under another name, stops the old one,
removes it, renames the new one and starts it. Nothing waits for the new container to be ready.
"""

import dataclasses
import pathlib

from benchmarks import command


@dataclasses.dataclass(frozen=True, slots=True)
class Recreated:
    """One service of a compose file, ``ports: ["PUBLISHED:TARGET"]``."""

    images: command.Images
    name: str
    target: int
    published: int

    def cycle(self, repository: pathlib.Path) -> None:
        """Build the folder and put its container in the place of the old one."""
        self.images.build(repository, self.name)
        old = command.docker("ps", "-aq", "--no-trunc", f"--filter=name=^{self.name}$")
        new = command.docker(
            "create", f"--name={self.name}-new", f"-p=127.0.0.1:{self.published}:{self.target}",
            self.name,
        )  # fmt: skip
        if old:
            command.docker("stop", old)
            command.docker("rm", old)
        command.docker("rename", new, self.name)
        command.docker("start", new)
