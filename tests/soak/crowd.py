"""Fifty projects push at once; and a worker starts beside two hundred that run.

``python -m tests.soak.crowd --write docs/evidence/crowd.md``
"""

import argparse
import concurrent.futures
import dataclasses
import pathlib
import sys
import time
from typing import Any

from benchmarks import page, table
from build_hook import project, registry
from build_hook.store import builds
from tests.functional import host as hosts
from tests.soak import orchard, storm

KNOBS: dict[str, Any] = {"reconcile_interval": 3600, "min_free_mb": 10, "concurrency": 2}
PHASE = builds.Phase
GREEDY = 8  # pushes of one project, while each of the others has one
START_WITHIN = 5.0


def memory_mb(pid: int) -> float:
    """Proportional share of a process in MiB."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    return (
        sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1024
    )


def size_mb(folder: pathlib.Path) -> float:
    """What a folder holds in MiB."""
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 2**20


def crowd(host: hosts.Host, projects: int) -> dict[str, str]:
    """All push at once, one of them again and again; what came of it."""
    counts = storm.Counts(projects)
    trees = orchard.Orchard(host.forge, projects, GREEDY)
    before = memory_mb(host.pid("worker"))
    with trees:
        storm.register(host, trees.url, projects)
        hosts.wait_for(lambda: not _open(host), "the first looks", 600)
        known = max((b.id for b in host.store.recent(limit=1)), default=0)
        sender = storm.Sender(host, trees, counts)
        begun = time.monotonic()
        turns = [(n, 0) for n in range(projects)] + [(0, push) for push in range(1, GREEDY)]
        with concurrent.futures.ThreadPoolExecutor(projects) as pool:
            all_sent = [
                pool.submit(_send, sender, n, [push for of, push in turns if of == n], begun)
                for n in range(projects)
            ]
            for one in all_sent:
                one.result()
        sent = time.monotonic() - begun
        most = 0.0
        while _open(host):
            most = max(most, memory_mb(host.pid("worker")))
            time.sleep(0.5)
        took = time.monotonic() - begun
        live = sum(_is_live(host, n, trees.last(n, turns)) for n in range(projects))
    return {
        "projects": str(projects),
        "pushes": str(len(turns)),
        "all accepted after s": f"{sent:.1f}",
        "all at an end after s": f"{took:.1f}",
        "last commit live": f"{live} of {projects}",
        "most places that a project was overtaken by": str(_unfairness(host, known)),
        "worker before, at most MiB": f"{before:.0f}, {most:.0f}",
        "state folder MiB": f"{size_mb(host.settings.state):.1f}",
    }


def _send(sender: storm.Sender, number: int, pushes: list[int], due: float) -> None:
    """The pushes of one project: in their order, since the last one has to go live."""
    for push in pushes:
        sender.send(number, push, due)


def _open(host: hosts.Host) -> bool:
    return bool(host.store.queued() or host.store.running())


def _is_live(host: hosts.Host, number: int, commit: str) -> bool:
    serving = host.store.serving().get(storm.name(number))
    return serving is not None and host.store.get(serving.build).commit == commit


def _unfairness(host: hosts.Host, known: int) -> int:
    """By how many builds, at most, that were asked for later a build was overtaken."""
    rows = host.store.session.rows(
        "SELECT b.id, min(p.at) AS begun FROM builds b JOIN phases p ON p.build = b.id"
        " WHERE b.id > ? AND p.phase = 'fetching' GROUP BY b.id ORDER BY begun, b.id",
        (known,),
    )
    order = [row["id"] for row in rows]
    return max(
        (sum(earlier > one for earlier in order[:place]) for place, one in enumerate(order)),
        default=0,
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Start:
    """Seconds from a worker's end until its successor was ready, and had found a lost push."""

    ready: float
    found: float


def start(host: hosts.Host, projects: int, times: int) -> list[Start]:
    """Kill the worker beside projects that run, so many times; nobody tells of the pushes."""
    trees = orchard.Orchard(host.forge, projects, times + 2)
    made = [_project(host, trees, n) for n in range(projects)]
    with trees:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: _run(host, made[n], trees.push(n, 0)), range(projects)))
        registry.save(host.settings.registry, registry.Registry(projects=tuple(made)))
        with host.product:
            host.product.wait_until_ready()
            hosts.wait_for(lambda: _ready(host), "the first worker", 120)
            name = made[0].name
            _restart(host, name, trees.push(0, 1))  # the first worker's look may have come later
            found = [_restart(host, name, trees.push(0, 2 + n)) for n in range(times)]
            assert {build.project for build in host.store.recent(limit=times)} == {name}
    return found


def _project(host: hosts.Host, trees: orchard.Orchard, number: int) -> project.Project:
    """One with a published port; the first, which is built, has none: it proves itself at once."""
    ports = [hosts.port(20_000 + 50 * number, 8000, "http")] if number else []
    return hosts.plain_project(
        f"runs-{number}",
        repository=trees.url,
        ref=orchard.branch(number),
        build={"args": {"BASE": host.base}},
        health={"min_uptime": 0, "successes": 1},
        ports=ports,
        command=["/bin/sleep", "86400"],
        stop_grace_period=0,
        drain=0,
        watch=0,
    )


def _run(host: hosts.Host, of: project.Project, commit: str) -> None:
    store = host.store
    build = store.add(builds.Request(of.name, of.ref, builds.Cause.PUSH, commit))
    settings = of.model_dump_json(exclude_defaults=True)
    store.note(build.id, settings=settings, image=host.base, commit_id=commit)
    host.containers.start(of, build.id, commit, host.base)
    store.enter(build.id, PHASE.LIVE)
    store.set_serving(of.name, build.id, None)


def _ready(host: hosts.Host) -> int:
    return host.log().count("worker: ready")


def _restart(host: hosts.Host, name: str, commit: str) -> Start:
    before, begun = _ready(host), time.monotonic()
    host.kill("worker")
    hosts.wait_for(lambda: _ready(host) > before, "the worker", 120)
    ready = time.monotonic() - begun
    hosts.wait_for(
        lambda: any(b.commit == commit for b in host.store.recent(name)), "the lost push", 120
    )
    found = time.monotonic() - begun
    hosts.wait_for(lambda: not _open(host), "the end of its build", 120)
    return Start(ready, found)


def _crowd(base: str, chosen: argparse.Namespace) -> bool:
    with hosts.serving(base, **KNOBS) as host:
        found = crowd(host, chosen.projects)
    text = page.table(("what", "found"), list(found.items()))
    print(text, flush=True)
    if chosen.write:
        command = f"./dev soak crowd --projects {chosen.projects} --running 0"
        page.write(chosen.write, "crowd", command, [text])
    return found["last commit live"] == f"{chosen.projects} of {chosen.projects}"


def _start(base: str, chosen: argparse.Namespace) -> bool:
    with hosts.serving(base, start=False, **KNOBS) as host:
        took = start(host, chosen.running, chosen.times)
    rows = [
        ("ready", table.spread([one.ready for one in took], 2)),
        ("ready, and a push found of which nobody told", table.spread([o.found for o in took], 2)),
    ]
    head = f"beside {chosen.running} running projects, {chosen.times} times"
    text = page.table((head, "seconds, median [least-most]"), rows)
    aim = f"Aim: at most {START_WITHIN:g} s."
    print(text, aim, sep="\n\n", flush=True)
    if chosen.write:
        command = f"./dev soak crowd --projects 0 --running {chosen.running}"
        page.write(chosen.write, "start", command, [text, aim])
    return max(one.found for one in took) < START_WITHIN


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.crowd", description=__doc__)
    parser.add_argument("--projects", type=int, default=50, help="that push at once; 0: none")
    parser.add_argument("--running", type=int, default=200, help="beside a start; 0: no start")
    parser.add_argument("--times", type=int, default=5, help="that the worker is started")
    parser.add_argument("--write", type=pathlib.Path)
    chosen = parser.parse_args()
    with hosts.base_image() as base:
        is_good = not chosen.projects or _crowd(base, chosen)
        return 0 if (not chosen.running or _start(base, chosen)) and is_good else 1


if __name__ == "__main__":
    sys.exit(main())
