"""A baseline: the way of docker-rollout, written afresh.

Build with the cache; start a second container of the service; ask once a second whether it is
healthy; run the hook in the old container, if the service has one; stop the old one and remove
it. A proxy that follows Docker's events, see ``follower``, has the published port.
"""

import dataclasses
import pathlib
import time

from benchmarks import command
from build_hook.demo import baseimage

HEALTHY_WITHIN = 60
DRAIN = "/drain"
# The draining that its documentation describes: a hook turns the health check red.
HOOK = f": > {DRAIN}; sleep 10"


@dataclasses.dataclass(frozen=True, slots=True)
class Rollout:
    """One service of a compose file with a health check, every ``interval`` seconds."""

    images: command.Images
    name: str
    target: int
    published: int
    interval: int = 1
    hook: str | None = None

    @property
    def label(self) -> str:
        """What the proxy finds the service's containers by."""
        return f"{baseimage.LABEL}.service={self.name}"

    def cycle(self, repository: pathlib.Path) -> None:
        """Build the folder and put its container in the place of the old one."""
        self.images.build(repository, self.name)
        old = command.docker("ps", "-q", "--no-trunc", f"--filter=label={self.label}").split()
        new = self._start()
        self._wait(new)
        for one in old:
            if self.hook:
                command.docker("exec", one, "/bin/sh", "-c", self.hook)
            command.docker("stop", one)
            command.docker("rm", one)

    def _start(self) -> str:
        check = (
            f"test ! -f {DRAIN} && "
            f"/bin/busybox wget -q -O /dev/null http://127.0.0.1:{self.target}/"
        )
        return command.docker(
            "run", "-d", f"--label={self.label}", f"--health-cmd={check}", "--health-retries=1",
            f"--health-interval={self.interval}s", self.name,
        )  # fmt: skip

    def _wait(self, container: str) -> None:
        for _ in range(HEALTHY_WITHIN):
            if command.docker("inspect", "-f", "{{.State.Health.Status}}", container) == "healthy":
                return
            time.sleep(1)
        raise command.CommandError(f"{self.name} was not healthy within {HEALTHY_WITHIN} s")
