"""The baseline: what the build hook of 2015 did, written afresh.

Find the container by its image's tag, build without cache while it runs, kill it, run the new
image on the same port. Nothing waits for the new container to be ready.
"""

import dataclasses
import pathlib
from typing import Any

import docker


@dataclasses.dataclass(frozen=True, slots=True)
class Original:
    """One project under the original's care."""

    client: docker.DockerClient
    tag: str
    target: int
    published: int
    args: dict[str, str]
    labels: dict[str, str]

    def cycle(self, repository: pathlib.Path) -> None:
        """Build the folder and put its container in the place of the old one."""
        old = self.running()
        self.build(repository)
        if old is not None:
            old.kill()
        self.run()

    def running(self) -> Any:
        """The container whose image bears the tag at this moment."""
        for container in self.client.containers.list():
            if container.image and f"{self.tag}:latest" in container.image.tags:
                return container
        return None

    def build(self, repository: pathlib.Path) -> None:
        """Build with no cache, by the engine's classic builder."""
        self.client.images.build(
            path=str(repository),
            tag=self.tag,
            nocache=True,
            rm=True,
            buildargs=self.args,
            labels=self.labels,
        )

    def run(self) -> None:
        """The project's start script: ``docker run -d -p PORT:PORT --restart=… TAG``."""
        self.client.containers.run(
            self.tag,
            detach=True,
            ports={f"{self.target}/tcp": ("127.0.0.1", self.published)},
            restart_policy={"Name": "on-failure", "MaximumRetryCount": 10},
        )
