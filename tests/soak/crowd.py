"""Fifty projects push at once; and a worker starts beside two hundred that run.

``python -m tests.soak.crowd --write docs/evidence/crowd.md``
"""

import argparse
import concurrent.futures
import pathlib
import sys
import time
from typing import Any

from build_hook import registry
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
            for one in [pool.submit(sender.send, n, push, begun) for n, push in turns]:
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


def start(host: hosts.Host, projects: int) -> float:
    """Seconds that a worker needs to begin work beside so many running projects."""
    made = [hosts.plain_project(f"runs-{n}") for n in range(projects)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda of: _run(host, of), made))
    registry.save(host.settings.registry, registry.Registry(projects=tuple(made)))
    with host.product:
        host.product.wait_until_ready()
        hosts.wait_for(lambda: "worker: ready" in host.log(), "the first worker", 120)
        host.replaced("worker", host.kill("worker"))
        begun = time.monotonic()
        hosts.wait_for(lambda: host.log().count("worker: ready") > 1, "the worker", 120)
        return time.monotonic() - begun


def _run(host: hosts.Host, of: Any) -> None:
    store, commit = host.store, "c" * 40
    build = store.add(builds.Request(of.name, of.ref, builds.Cause.PUSH, commit))
    settings = of.model_dump_json(exclude_defaults=True)
    store.note(build.id, settings=settings, image=host.base, commit_id=commit)
    host.containers.start(of, build.id, commit, host.base)
    store.enter(build.id, PHASE.LIVE)
    store.set_serving(of.name, build.id, None)


def page(found: dict[str, str], command: str) -> str:
    lines = [
        "# A crowd",
        "",
        f"Made by `{command}` on {time.strftime('%d %B %Y', time.gmtime())}, on two processors.",
        "",
        "Every project pushes at the same moment, and the first one again and again; two are",
        "built side by side. Then a worker is started beside projects that run: the time from",
        "the end of its predecessor to being ready.",
        "",
        "| what | found |",
        "| --- | --- |",
        *(f"| {name} | {value} |" for name, value in found.items()),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.crowd", description=__doc__)
    parser.add_argument("--projects", type=int, default=50)
    parser.add_argument("--running", type=int, default=200)
    parser.add_argument("--write", type=pathlib.Path)
    chosen = parser.parse_args()
    with hosts.base_image() as base:
        with hosts.serving(base, **KNOBS) as host:
            found = crowd(host, chosen.projects)
        print(found, flush=True)
        with hosts.serving(base, start=False, **KNOBS) as host:
            took = start(host, chosen.running)
    found[f"start beside {chosen.running} running projects, s"] = f"{took:.1f}"
    print(found, flush=True)
    command = f"python -m tests.soak.crowd --projects {chosen.projects}"
    if chosen.write:
        chosen.write.write_text(page(found, command), encoding="utf-8")
    everyone = f"{chosen.projects} of {chosen.projects}"
    return 0 if found["last commit live"] == everyone and took < START_WITHIN else 1


if __name__ == "__main__":
    sys.exit(main())
