"""kill -9 of web, worker and proxy at random moments of deploys, under steady load.

``python -m tests.soak.kill --kills 10`` prints the counts; ``--write FILE`` keeps them. Every
other kill is aimed at a phase drawn by lot, since most of a deploy's time is building.
"""

import argparse
import contextlib
import dataclasses
import json
import pathlib
import random
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any

from benchmarks import page
from build_hook.demo import delivery, gitserver, traffic
from build_hook.store import builds
from tests.functional import host as hosts

PROCESSES = ("web", "worker", "proxy")
KNOBS: dict[str, Any] = {"reconcile_interval": 2, "min_free_mb": 10}
QUIET_END = 90.0
AIMED_AT = (
    builds.Phase.STARTING, builds.Phase.GATING, builds.Phase.SWITCHING, builds.Phase.DRAINING,
    builds.Phase.WATCHING,
)  # fmt: skip
AIM_FOR = 6.0
ENDS_WELL = {builds.Phase.LIVE, builds.Phase.SUPERSEDED, builds.Phase.SKIPPED}


@dataclasses.dataclass(slots=True)
class Counts:
    """What one kind of kill did."""

    process: str
    whole_group: bool
    kills: int = 0
    phases: list[str] = dataclasses.field(default_factory=list)
    pushes: int = 0
    accepted: int = 0
    lost: int = 0
    ends: dict[str, int] = dataclasses.field(default_factory=dict)
    last_not_live: int = 0
    left_over: int = 0
    requests: int = 0
    failed: int = 0
    slowest_s: float = 0.0
    longest_gap_ms: int = 0
    faults: list[str] = dataclasses.field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.last_not_live or self.left_over or self.faults) and (
            self.slowest_s < 5 and (self.process == "proxy" or not self.failed)
        )


class Deliveries:
    """Fires a push's delivery and remembers which were accepted; nothing is sent twice."""

    def __init__(self, host: hosts.Host) -> None:
        self._host = host
        self.accepted: list[int] = []
        self.refused = 0

    def fire(self, moved: gitserver.Moved) -> None:
        raw = delivery.body(moved, self._host.forge.address)
        name = moved.repository.stem
        try:
            status, answer = delivery.send(
                f"{self._host.product.url}/hooks/{name}", raw, self._host.webhook.secrets[name]
            )
        except OSError:
            self.refused += 1
            return
        if status == 202:
            self.accepted += [build["id"] for build in json.loads(answer)["builds"]]
        else:
            self.refused += 1


class Trial:
    """Kills one process again and again while two projects are pushed to and asked."""

    def __init__(self, host: hosts.Host, chance: random.Random) -> None:
        self._host = host
        self._chance = chance
        self._deliveries = Deliveries(host)
        host.fire = self._deliveries.fire
        self.projects = [host.add("web"), host.add("echo", "tcp", watch=0.5)]
        for made in self.projects:
            made.live()

    def run(self, process: str, *, whole_group: bool, kills: int) -> Counts:
        """Kill, and look what came of it."""
        counts = Counts(process, whole_group)
        urls = {made.name: made.url for made in self.projects}
        before, refused = len(self._deliveries.accepted), self._deliveries.refused
        with traffic.Traffic(urls) as load:
            for made in self.projects:
                assert load.wait_for(made.name, made.version, 20), f"{made.name} does not answer"
            for number in range(kills):
                self._kill_once(counts, self.projects[number % len(self.projects)])
            self._settle(counts)
            load.check()
            load.stop()
        counts.accepted = len(self._deliveries.accepted) - before
        counts.pushes = counts.accepted + self._deliveries.refused - refused
        self._account(counts, self._deliveries.accepted[before:])
        seen = load.window()
        counts.requests, counts.failed = seen.requests, seen.failed
        counts.longest_gap_ms = seen.longest_gap_ms
        if counts.failed and process != "proxy":
            counts.faults.append(f"failed requests: {load.failures()}")
        return counts

    def _kill_once(self, counts: Counts, made: hosts.Project) -> None:
        self._await_moment(made, made.push())
        phase = next(iter(made.history())).phase
        ready = self._ready()
        dead = self._host.kill(counts.process, group=counts.whole_group)
        killed = time.monotonic()
        counts.kills += 1
        counts.phases.append(str(phase))
        if self._chance.random() < 0.5:  # a push into the gap
            self._chance.choice(self.projects).push()
        self._host.replaced(counts.process, dead)
        hosts.wait_for(self._answers, "an answer after the kill", 30)
        if counts.process == "worker":
            hosts.wait_for(lambda: self._ready() > ready, "the worker to be ready", 30)
        counts.slowest_s = max(counts.slowest_s, time.monotonic() - killed)

    def _await_moment(self, made: hosts.Project, commit: str) -> None:
        """Any moment after the push, or one within a phase that its build may not come to."""
        if self._chance.random() < 0.5:
            time.sleep(self._chance.uniform(0, 2.2))
            return
        aim, deadline = self._chance.choice(AIMED_AT), time.monotonic() + AIM_FOR
        while time.monotonic() < deadline:
            build = made.build_of(commit)
            if build is not None and (build.phase is aim or build.phase.is_end):
                break
            time.sleep(0.005)
        time.sleep(self._chance.uniform(0, 0.1))

    def _ready(self) -> int:
        """How often a worker has begun to take work."""
        return self._host.log().count("worker: ready")

    def _answers(self) -> bool:
        """Whether web and every published port take a connection and answer, and a worker runs."""
        return self._host.is_healthy() and all(
            _answers(made.port, made.protocol) for made in self.projects
        )

    def _settle(self, counts: Counts) -> None:
        """Wait until nothing is under way; the last commit must be live."""
        for made in self.projects:
            deadline = time.monotonic() + QUIET_END
            while not self._is_settled(made) and time.monotonic() < deadline:
                time.sleep(0.1)
            if not self._is_settled(made):
                counts.last_not_live += 1
                last = [(b.id, b.phase.value, b.reason) for b in made.history()[:4]]
                counts.faults.append(f"{made.name}: the last commit is not live: {last}")
            counts.left_over += self._left_over(made, counts)

    def _is_settled(self, made: hosts.Project) -> bool:
        if any(build.finished is None for build in made.history()[:5]):
            return False
        serving = self._host.store.serving().get(made.name)
        head = made.head
        return serving is not None and self._host.store.get(serving.build).commit == head

    def _left_over(self, made: hosts.Project, counts: Counts) -> int:
        """Containers beyond the one that serves and the one before it, stopped."""
        serving = self._host.store.serving().get(made.name)
        if serving is None:
            return 1
        allowed = {(serving.build, "running"), (serving.previous, "exited")}
        strange = [c for c in made.boxes() if (c.build, c.status) not in allowed]
        counts.faults += [f"left over: {c.name} is {c.status}" for c in strange]
        return len(strange)

    def _account(self, counts: Counts, accepted: list[int]) -> None:
        for number in accepted:
            build = self._host.store.get(number)
            counts.ends[build.phase] = counts.ends.get(build.phase, 0) + 1
            if build.phase not in ENDS_WELL:
                counts.lost += 1
                counts.faults.append(f"build {number} ended {build.phase}: {build.reason}")


def _answers(port: int, protocol: str) -> bool:
    words = b"GET / HTTP/1.0\r\n\r\n" if protocol == "http" else b"hello\n"
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as there:
        there.settimeout(2)
        there.sendall(words)
        answer = there.recv(100)
        return b" 200 " in answer[:20] if protocol == "http" else b"hello" in answer
    return False


def trials(kills: int, seed: int, only: str | None = None) -> Iterator[Counts]:
    """Both ways of killing each process."""
    chance = random.Random(seed)
    with hosts.base_image() as base, hosts.serving(base, **KNOBS) as host:
        trial = Trial(host, chance)
        for process in PROCESSES:
            for whole_group in (True, False):
                if only in (None, process):
                    yield trial.run(process, whole_group=whole_group, kills=kills)


HEAD = (
    "killed", "what", "kills", "pushes", "accepted (202)", "lost", "ends of accepted",
    "last commit not live", "containers left over", "slowest recovery s", "requests", "failed",
    "longest gap ms",
)  # fmt: skip


def row(counts: Counts) -> tuple[str, ...]:
    ends = ", ".join(f"{phase} {count}" for phase, count in sorted(counts.ends.items()))
    cells = (
        counts.process, "process group" if counts.whole_group else "main process", counts.kills,
        counts.pushes, counts.accepted, counts.lost, ends, counts.last_not_live,
        counts.left_over, f"{counts.slowest_s:.2f}", counts.requests, counts.failed,
        counts.longest_gap_ms,
    )  # fmt: skip
    return tuple(str(cell) for cell in cells)


def parts(found: list[Counts]) -> list[str]:
    """The evidence, as Markdown."""
    fell = [(c.process, phase) for c in found for phase in c.phases]
    shares = [
        f"- {process}: "
        + ", ".join(f"{p} {fell.count((process, p))}" for p in sorted({p for _, p in fell}))
        for process in dict.fromkeys(c.process for c in found)
    ]
    table = page.table(HEAD, [row(counts) for counts in found])
    return [table, "Phases in which the kills fell:", "\n".join(shares)]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.kill", description=__doc__)
    parser.add_argument("--kills", type=int, default=10, help="of each kind")
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    parser.add_argument("--only", choices=PROCESSES)
    parser.add_argument("--write", type=pathlib.Path)
    chosen = parser.parse_args()
    found: list[Counts] = []
    print(f"seed {chosen.seed}", flush=True)
    for counts in trials(chosen.kills, chosen.seed, chosen.only):
        found.append(counts)
        print(dict(zip(HEAD, row(counts), strict=True)), *counts.faults, sep="\n  ", flush=True)
    if chosen.write:
        only = f"--only {chosen.only} " if chosen.only else ""
        command = f"./dev soak kill {only}--kills {chosen.kills} --seed {chosen.seed}"
        block = f"kill {chosen.only}" if chosen.only else "kill"
        page.write(chosen.write, block, command, parts(found))
    return 0 if all(counts.is_good for counts in found) else 1


if __name__ == "__main__":
    sys.exit(main())
