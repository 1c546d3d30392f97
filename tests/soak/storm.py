"""Many deliveries to many projects, while web and worker are killed every few seconds.

``python -m tests.soak.storm --projects 1000 --deliveries 10000`` prints the counts; ``--write
FILE`` keeps them. A delivery that was not answered 2xx is sent again, with the same id.
"""

import argparse
import concurrent.futures
import contextlib
import dataclasses
import http.client
import pathlib
import random
import sqlite3
import sys
import threading
import time
from collections.abc import Generator
from typing import Any

from benchmarks import page, signed_push
from build_hook import project, registry, secret_files
from build_hook.store import builds
from tests.functional import host as hosts
from tests.soak import orchard

KNOBS: dict[str, Any] = {"reconcile_interval": 3600, "min_free_mb": 10, "concurrency": 2}
SENDERS = 8
PATIENCE = 3600.0
ENDS_WELL = {builds.Phase.LIVE, builds.Phase.SUPERSEDED, builds.Phase.SKIPPED}


@dataclasses.dataclass(slots=True)
class Counts:
    """What came of it; ``kills`` by process."""

    projects: int
    deliveries: int = 0
    posts: int = 0
    again: int = 0
    kills: dict[str, int] = dataclasses.field(default_factory=lambda: {"web": 0, "worker": 0})
    ends: dict[str, int] = dataclasses.field(default_factory=dict[str, int])
    built: int = 0
    lost: int = 0
    not_live: int = 0
    sending_s: float = 0
    building_s: float = 0
    faults: list[str] = dataclasses.field(default_factory=list[str])

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.not_live or self.faults)


class Sender:
    """Moves a branch and sends its delivery, until somebody answers 2xx."""

    def __init__(self, host: hosts.Host, trees: orchard.Orchard, counts: Counts) -> None:
        self._host = host
        self._trees = trees
        self._counts = counts
        self._lock = threading.Lock()
        self.answered: list[str] = []

    def send(self, number: int, push: int, due: float) -> None:
        """One push, when it is due."""
        time.sleep(max(0.0, due - time.monotonic()))
        commit = self._trees.push(number, push)
        raw = self._trees.payload(number, commit)
        delivery = f"storm-{number}-{push}"
        headers = signed_push.headers(raw, delivery)
        attempts = 1
        while not self._post(f"/hooks/{name(number)}", raw, headers):
            attempts += 1
            time.sleep(0.2)
        with self._lock:
            self.answered.append(delivery)
            self._counts.posts += attempts
            self._counts.again += attempts > 1

    def _post(self, path: str, raw: bytes, headers: dict[str, str]) -> bool:
        there = http.client.HTTPConnection("127.0.0.1", self._host.settings.port, timeout=10)
        with contextlib.closing(there), contextlib.suppress(OSError, http.client.HTTPException):
            there.request("POST", path, raw, headers)
            answer = there.getresponse()
            answer.read()
            return 200 <= answer.status < 300
        return False


class Killer(threading.Thread):
    """Kills a process again and again, ``every`` so many seconds on average."""

    def __init__(self, host: hosts.Host, process: str, every: float, counts: Counts) -> None:
        super().__init__(daemon=True)
        self._host = host
        self._process = process
        self._every = every
        self._counts = counts
        self._chance = random.Random(process)
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.wait(self._every * self._chance.uniform(0.5, 1.5)):
            with contextlib.suppress(ProcessLookupError):
                dead = self._host.kill(self._process)
                self._counts.kills[self._process] += 1
                self._host.replaced(self._process, dead, 30)


def name(number: int) -> str:
    """The name of a project."""
    return f"storm-{number}"


def register(host: hosts.Host, url: str, count: int) -> None:
    """Projects of one repository, each with a branch of its own, whose builds are cheap."""
    secret_files.create(host.settings.secrets, "storm", signed_push.SECRET)
    values = {
        "repository": url,
        "webhook_secrets": ["storm"],
        "build": {"args": {"BASE": host.base}},
        "health": {"min_uptime": 0, "successes": 1},
        "stop_grace_period": 0,
        "drain": 0,
        "watch": 0,
    }
    made = tuple(
        project.Project.model_validate({**values, "name": name(n), "ref": orchard.branch(n)})
        for n in range(count)
    )
    registry.save(host.settings.registry, registry.Registry(projects=made))
    host.settle()


@contextlib.contextmanager
def killing(host: hosts.Host, every: dict[str, float], counts: Counts) -> Generator[None]:
    """Processes die as long as the block runs."""
    killers = [Killer(host, process, seconds, counts) for process, seconds in every.items()]
    for one in killers:
        one.start()
    try:
        yield
    finally:
        for one in killers:
            one.done.set()
        for one in killers:
            one.join(60)


def run(
    host: hosts.Host, projects: int, deliveries: int, seconds: float, every: dict[str, float]
) -> Counts:
    """Send all deliveries within about so many seconds, wait for the end of all builds, count."""
    counts = Counts(projects, deliveries)
    trees = orchard.Orchard(host.forge, projects, -(-deliveries // projects))
    with trees:
        register(host, trees.url, projects)
        sender = Sender(host, trees, counts)
        turns = [(n, push) for push in range(trees.pushes) for n in range(projects)][:deliveries]
        begun = time.monotonic()
        with killing(host, every, counts), concurrent.futures.ThreadPoolExecutor(SENDERS) as pool:
            sent = [
                pool.submit(sender.send, *turn, begun + at * seconds / deliveries)
                for at, turn in enumerate(turns)
            ]
            for one in sent:
                one.result()
        counts.sending_s = time.monotonic() - begun
        hosts.wait_for(lambda: not _open(host), "the end of all builds", PATIENCE)
        counts.building_s = time.monotonic() - begun - counts.sending_s
        _account(host, counts, sender.answered)
        _look_what_is_live(host, counts, {n: trees.last(n, turns) for n in range(projects)})
    return counts


def _open(host: hosts.Host) -> int:
    host.product.check()
    return _rows(host, "SELECT count(*) FROM builds WHERE finished IS NULL")[0][0]


def _account(host: hosts.Host, counts: Counts, answered: list[str]) -> None:
    """What became of every delivery that was answered 2xx."""
    found = {
        row[0]: row[1:]
        for row in _rows(
            host,
            "SELECT d.delivery_id, b.phase, b.reason FROM deliveries AS d"
            " LEFT JOIN builds AS b ON b.delivery = d.id",
        )
    }
    for delivery in answered:
        phase, reason = found.get(delivery, (None, None))
        counts.ends[str(phase)] = counts.ends.get(str(phase), 0) + 1
        if phase not in ENDS_WELL or (phase != builds.Phase.LIVE and not reason):
            counts.lost += 1
            counts.faults.append(f"{delivery} ended {phase}: {reason}")
    counts.built = _rows(host, "SELECT count(*) FROM builds WHERE image IS NOT NULL")[0][0]


def _look_what_is_live(host: hosts.Host, counts: Counts, heads: dict[int, str]) -> None:
    """The last commit of every project must serve, in a container that runs."""
    running = {(box.project, box.commit) for box in host.containers.all() if box.is_running}
    missing = [n for n, head in heads.items() if (name(n), head) not in running]
    counts.not_live = len(missing)
    counts.faults += [f"{name(n)}: {heads[n]} does not run" for n in missing[:10]]


def _rows(host: hosts.Host, sql: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(host.settings.database, timeout=30)
    with contextlib.closing(connection):
        return connection.execute(sql).fetchall()


HEAD = (
    "projects", "deliveries", "kills of web", "kills of worker", "sent again", "POSTs",
    "ends of the answered", "lost", "last commit not running", "images built", "sending s",
    "building after that s",
)  # fmt: skip


def row(counts: Counts) -> tuple[str, ...]:
    ends = ", ".join(f"{phase} {count}" for phase, count in sorted(counts.ends.items()))
    cells = (
        counts.projects, counts.deliveries, counts.kills["web"], counts.kills["worker"],
        counts.again, counts.posts, ends, counts.lost, counts.not_live, counts.built,
        f"{counts.sending_s:.0f}", f"{counts.building_s:.0f}",
    )  # fmt: skip
    return tuple(str(cell) for cell in cells)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.storm", description=__doc__)
    parser.add_argument("--projects", type=int, default=1000)
    parser.add_argument("--deliveries", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=600, help="that the sending takes")
    parser.add_argument("--web", type=float, default=3, help="seconds between two kills of web")
    parser.add_argument("--worker", type=float, default=8, help="the same for the worker")
    parser.add_argument("--write", type=pathlib.Path)
    given = parser.parse_args()
    every = {"web": given.web, "worker": given.worker}
    with hosts.base_image() as base, hosts.serving(base, **KNOBS) as host:
        counts = run(host, given.projects, given.deliveries, given.seconds, every)
        report(counts, given)  # before so many containers are removed
    return 0 if counts.is_good else 1


def report(counts: Counts, given: argparse.Namespace) -> None:
    """Print the counts, and keep them."""
    pairs = zip(HEAD, row(counts), strict=True)
    print(*(f"{head}: {cell}" for head, cell in pairs), *counts.faults[:20], sep="\n", flush=True)
    if given.write:
        command = (
            f"python -m tests.soak.storm --projects {given.projects} --deliveries "
            f"{given.deliveries} --seconds {given.seconds:g} --web {given.web:g} "
            f"--worker {given.worker:g}"
        )
        page.write(given.write, "storm", command, [page.table(HEAD, [row(counts)])])


if __name__ == "__main__":
    sys.exit(main())
