"""The original's cycle against ours: same image, same application, same load, turn by turn.

``python -m benchmarks.cycle [--cycles 10] [--clients 12] [--json]``
"""

import argparse
import contextlib
import dataclasses
import sys
import time
from collections.abc import Callable

import docker

from benchmarks import original, table
from build_hook.demo import baseimage, git, gitserver, product, show, stage, traffic, workcopy
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


class Theirs:
    """A push that the original takes: pull in the clone, then its cycle."""

    def __init__(self, on: stage.Stage, client: docker.DockerClient) -> None:
        published = product.free_port()
        self.url = f"http://127.0.0.1:{published}"
        self.commit = ""
        self._clone = on.folder / "clone"
        self._done: set[str] = set()
        self._hook = original.Original(
            client=client,
            tag=f"build-hook-benchmark/{on.docker.instance}",
            target=8000,
            published=published,
            args={"BASE": on.base},
            labels={baseimage.LABEL: on.docker.instance},
        )
        url = on.host.create("original")
        self.copy = workcopy.WorkCopy(on.folder / "original", url, on.host.authorization)
        self.copy.fill(baseimage.APPS / "web")
        self._url = url

    def delivered(self, moved: gitserver.Moved) -> None:
        """What the original's web server ran for a delivery."""
        if not self._clone.exists():
            git.run("clone", "--quiet", self._url, str(self._clone))
        git.run("pull", "--quiet", "origin", "main", folder=self._clone)
        self._hook.cycle(self._clone)
        self._done.add(moved.after)

    def wait(self, commit: str) -> None:
        """Wait until the cycle of a commit has ended."""
        deadline = time.monotonic() + PATIENCE
        while commit not in self._done:
            if time.monotonic() > deadline:
                sys.exit("the original's cycle did not end in time")
            time.sleep(0.05)


def measure(side: Ours | Theirs, version: str, clients: int) -> Cycle:
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


def run(cycles: int, clients: int, say: Callable[[str], None]) -> dict[str, list[Cycle]]:
    """All cycles of both sides, one of each in turn."""
    with (
        stage.set_up(say) as on,
        contextlib.closing(docker.DockerClient(base_url=on.docker.host)) as client,
    ):
        sides = {"original": Theirs(on, client), "build-hook": Ours(on)}
        on.copies["web"].fill(baseimage.APPS / "web")
        deliver_to(on, sides)
        for name, side in sides.items():
            commit, _ = push(side.copy, f"{name}-first")
            side.wait(commit)
        found: dict[str, list[Cycle]] = {name: [] for name in sides}
        for number in range(cycles):
            for name, side in sides.items():
                found[name].append(measure(side, f"{name}-{number}", clients))
                say(f"cycle {number + 1} of {cycles}, {name}: {found[name][-1]}")
        return found


def deliver_to(on: stage.Stage, sides: dict[str, Ours | Theirs]) -> None:
    """Let each side hear of its own repository's pushes."""
    theirs = sides["original"]
    assert isinstance(theirs, Theirs)

    def pushed(moved: gitserver.Moved) -> None:
        if moved.repository.stem == "original":
            theirs.delivered(moved)
        else:
            on.webhook.fire(moved)

    on.host.pushed = pushed


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=10)
    parser.add_argument("--clients", type=int, default=12, help="of each manner, 12 requests/s")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = run(given.cycles, given.clients, lambda text: print(text, file=sys.stderr))
    figures = ("requests", "failed", "longest_gap_ms", "push_to_live_s")
    columns = {
        name: {figure: [getattr(cycle, figure) for cycle in cycles] for figure in figures}
        for name, cycles in found.items()
    }
    if given.json:
        table.show_json(
            {n: {f: table.summary(v) for f, v in side.items()} for n, side in columns.items()}
        )
        return
    rate = 2 * given.clients * 12
    table.show(
        f"{given.cycles} cycles each, in turn, at {rate} requests/s: median [min-max] a cycle",
        ("", "requests", "failed", "longest gap ms", "push-to-live s", "failed in all"),
        [
            (
                name,
                table.spread(side["requests"]),
                table.spread(side["failed"]),
                table.spread(side["longest_gap_ms"]),
                table.spread(side["push_to_live_s"], 2),
                str(sum(side["failed"])),
            )
            for name, side in columns.items()
        ],
    )


if __name__ == "__main__":
    main()
