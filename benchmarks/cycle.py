"""One push under load, whoever takes it: the product, or a baseline; and what users saw."""

import dataclasses
import pathlib
import sys
import time
from typing import Protocol

import docker.errors

from benchmarks import command
from build_hook.demo import baseimage, git, gitserver, show, stage, traffic, workcopy
from build_hook.store import builds

WARM_UP = 0.7
PATIENCE = 90.0


@dataclasses.dataclass(frozen=True, slots=True)
class Cycle:
    """What the users saw of one push."""

    requests: int
    failed: int
    longest_gap_ms: int
    push_to_live_s: float


class Way(Protocol):
    """How a baseline brings what a folder holds to a published port."""

    @property
    def published(self) -> int:
        """The port that its users ask."""
        ...

    def cycle(self, repository: pathlib.Path) -> None:
        """Build the folder and put its container in the place of the old one."""
        ...


class Side(Protocol):
    """Whoever takes pushes to a repository."""

    url: str
    copy: workcopy.WorkCopy

    def wait(self, commit: str) -> None:
        """Wait until all that a push sets off has ended."""
        ...


class Ours:
    """A push that the product takes to its end."""

    def __init__(self, on: stage.Stage) -> None:
        self.url = on.urls["web"]
        self.copy = on.copies["web"]
        self._on = on

    def wait(self, commit: str) -> None:
        """Wait until the deploy of a commit has ended, drain and watch included."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            build = show.build_of(commit, self._on.builds.recent("web"))
            if build is not None and build.phase.is_end:
                if build.phase is not builds.Phase.LIVE:
                    sys.exit(f"build {build.id} ended {build.phase}: {build.reason}")
                return
            time.sleep(0.05)
        sys.exit("the deploy did not end in time: " + self._on.product.last_words())


class Baseline:
    """A push that a baseline takes: pull in the clone, then its way."""

    def __init__(self, on: stage.Stage, name: str, way: Way) -> None:
        self.url = f"http://127.0.0.1:{way.published}"
        self._way = way
        self._clone = on.folder / f"clone-{name}"
        self._done: set[str] = set()
        self._problem: str | None = None
        self._repository = on.host.create(name)
        self.copy = workcopy.WorkCopy(on.folder / name, self._repository, on.host.authorization)
        self.copy.fill(baseimage.APPS / "web")

    def delivered(self, moved: gitserver.Moved) -> None:
        """What its web server runs for a delivery."""
        try:
            if not self._clone.exists():
                git.run("clone", "--quiet", self._repository, str(self._clone))
            git.run("pull", "--quiet", "origin", "main", folder=self._clone)
            self._way.cycle(self._clone)
        except (OSError, command.CommandError, docker.errors.DockerException) as error:
            self._problem = str(error)
        self._done.add(moved.after)

    def wait(self, commit: str) -> None:
        """Wait until the cycle of a commit has ended."""
        deadline = time.monotonic() + PATIENCE
        while commit not in self._done:
            if time.monotonic() > deadline:
                sys.exit(f"the cycle behind {self.url} did not end in time")
            time.sleep(0.05)
        if self._problem:
            sys.exit(f"the cycle behind {self.url} failed: {self._problem}")


def measure(side: Side, version: str, clients: int) -> Cycle:
    """One push under load."""
    with traffic.Traffic({"web": side.url}, clients) as load:
        while load.answering("web") is None:
            time.sleep(0.05)
        time.sleep(WARM_UP)
        begun = time.monotonic()
        commit, pushed = push(side.copy, version)
        seen = load.wait_for("web", version, PATIENCE)
        side.wait(commit)
        time.sleep(WARM_UP)
        load.check()
        load.stop()
    if seen is None:
        sys.exit(f"{version} never answered")
    window = load.window(begun)
    return Cycle(window.requests, window.failed, window.longest_gap_ms, seen - pushed)


def push(copy: workcopy.WorkCopy, version: str) -> tuple[str, float]:
    """Commit a new version and push it; the commit, and when the push had ended."""
    copy.write("version.txt", f"{version}\n")
    commit = copy.commit(version)
    copy.push()
    return commit, time.monotonic()
