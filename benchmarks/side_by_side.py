"""Ours beside the ways that people have without it: same image, same load, turn by turn.

The original of 2015; ``docker compose up -d``; docker-rollout behind a proxy that behaves as
Traefik does by default, behind one that behaves as nginx-proxy, and with the draining that its
documentation describes. All are written afresh with the docker command.

``python -m benchmarks.side_by_side [--cycles 10] [--clients 12] [--only NAME…] [--write FILE]``
"""

import argparse
import contextlib
import dataclasses
import pathlib
import statistics
import sys
from collections.abc import Callable, Collection, Sequence

import docker

from benchmarks import command, cycle, follower, original, page, recreated, rollout, table
from build_hook.demo import baseimage, gitserver, load, product, stage
from build_hook.deploy import engine

OURS = "build-hook"
TARGET = 8000


@dataclasses.dataclass(frozen=True, slots=True)
class Rolled:
    """A service under docker-rollout: its proxy's manner, its health check, its hook.

    Five seconds are what its documentation has. As Traefik, a proxy that has just seen a
    container start takes nothing in for two: sooner healthy would be worse.
    """

    manner: follower.Manner
    interval: int
    hook: str | None = None


WORDS = {
    OURS: "build-hook",
    "original": "the original of 2015: build without cache, kill, run",
    "compose-up": "`docker compose up -d`: stop, start on the same port",
    "rollout-traefik": "docker-rollout, proxy as Traefik",
    "rollout-nginx": "docker-rollout, proxy as nginx-proxy",
    "rollout-drain": "docker-rollout with its drain hook, proxy as Traefik",
}
ROLLED = {
    "rollout-traefik": Rolled(follower.TRAEFIK, 5),
    "rollout-nginx": Rolled(follower.NGINX_PROXY, 1),
    "rollout-drain": Rolled(follower.TRAEFIK, 5, rollout.HOOK),
}

Found = dict[str, list[cycle.Cycle]]


class Ways:
    """Makes the baselines of one stage."""

    def __init__(self, on: stage.Stage, stack: contextlib.ExitStack) -> None:
        self._on = on
        self._stack = stack
        self._images = command.Images(on.docker.instance, on.base)

    def named(self, name: str) -> cycle.Way:
        """A baseline, with all that it needs running."""
        published = product.free_port()
        image = f"build-hook-benchmark-{self._on.docker.instance}-{name}"
        if name == "original":
            return self._original(image, published)
        if name == "compose-up":
            return recreated.Recreated(self._images, image, TARGET, published)
        rolled = ROLLED[name]
        made = rollout.Rollout(
            self._images, image, TARGET, published, rolled.interval, rolled.hook
        )
        own = engine.Engine(self._on.docker.host, self._on.docker.instance)
        proxy = follower.Follower(self._on.folder / name, own, made.label, rolled.manner)
        self._stack.enter_context(proxy.serve(published, TARGET))
        return made

    def _original(self, image: str, published: int) -> original.Original:
        client = docker.DockerClient(base_url=self._on.docker.host)
        self._stack.callback(client.close)
        return original.Original(
            client=client,
            tag=image,
            target=TARGET,
            published=published,
            args={"BASE": self._on.base},
            labels={baseimage.LABEL: self._on.docker.instance},
        )


def run(cycles: int, clients: int, names: Collection[str], say: Callable[[str], None]) -> Found:
    """All cycles of these sides, one of each in turn."""
    with stage.set_up(say) as on, contextlib.ExitStack() as stack:
        ways = Ways(on, stack)
        baselines = {
            name: cycle.Baseline(on, name, ways.named(name)) for name in names if name != OURS
        }
        on.copies["web"].fill(baseimage.APPS / "web")
        on.host.pushed = lambda moved: _deliver(on, baselines, moved)
        sides: dict[str, cycle.Side] = {
            name: baselines.get(name) or cycle.Ours(on) for name in names
        }
        for name, side in sides.items():
            commit, _ = cycle.push(side.copy, f"{name}-first")
            side.wait(commit)
        found: Found = {name: [] for name in sides}
        for number in range(cycles):
            for name, side in sides.items():
                found[name].append(cycle.measure(side, f"{name}-{number}", clients))
                say(f"cycle {number + 1} of {cycles}, {name}: {found[name][-1]}")
        return found


def _deliver(
    on: stage.Stage, baselines: dict[str, cycle.Baseline], moved: gitserver.Moved
) -> None:
    baseline = baselines.get(moved.repository.stem)
    if baseline is None:
        on.webhook.fire(moved)
    else:
        baseline.delivered(moved)


HEAD = (
    "way", "cycles", "requests a cycle", "failed a cycle", "failed in all", "longest gap ms",
    "push-to-live s", "gap, times ours", "push-to-live, times ours",
)  # fmt: skip


def rows(found: Found) -> list[tuple[str, ...]]:
    """A line for each way; ratios are of cycles that were neighbours, so that load is shared."""
    ours = found.get(OURS, [])
    return [
        (
            WORDS[name],
            str(len(seen)),
            table.spread([one.requests for one in seen]),
            table.spread([one.failed for one in seen]),
            str(sum(one.failed for one in seen)),
            table.spread([one.longest_gap_ms for one in seen]),
            table.spread([one.push_to_live_s for one in seen], 2),
            _ratio([one.longest_gap_ms for one in seen], [one.longest_gap_ms for one in ours]),
            _ratio([one.push_to_live_s for one in seen], [one.push_to_live_s for one in ours]),
        )
        for name, seen in found.items()
    ]


def _ratio(theirs: Sequence[float], ours: Sequence[float]) -> str:
    if not ours or theirs == ours:
        return "-"
    ratios = [a / max(b, 0.001) for a, b in zip(theirs, ours, strict=True)]
    return f"{statistics.median(ratios):.1f}"


def main() -> int:
    """Measure and print; ours must not fail a request."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=10)
    parser.add_argument("--clients", type=int, default=12, help="of each manner, 12 requests/s")
    parser.add_argument("--only", nargs="+", choices=WORDS, default=list(WORDS))
    parser.add_argument("--write", type=pathlib.Path)
    given = parser.parse_args()
    say = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731
    found = run(given.cycles, given.clients, given.only, say)
    rate = 2 * given.clients * load.RATE
    words = (
        f"{given.cycles} cycles each, one of each way in turn, at {rate:g} requests/s, half of "
        "them on kept connections: median [least-most] a cycle."
    )
    parts = [words, page.table(HEAD, rows(found))]
    print(*parts, sep="\n\n")
    if given.write:
        asked = f"--cycles {given.cycles} --clients {given.clients}"
        page.write(given.write, "side by side", f"./dev bench side_by_side {asked}", parts)
    return 1 if any(one.failed for one in found.get(OURS, [])) else 0


if __name__ == "__main__":
    sys.exit(main())
