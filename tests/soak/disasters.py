"""What the world does to a host that serves: engine, git host, clock, disk and database fail.

``python -m tests.soak.disasters --write docs/evidence/faults.md``

Everything runs on an engine of its own, so that all that is not ours can be compared.
"""

import argparse
import contextlib
import dataclasses
import os
import pathlib
import secrets
import sys
import time
from collections.abc import Callable, Generator
from typing import Any

from build_hook import labels
from build_hook.demo import traffic
from build_hook.store import builds
from tests.functional import host as hosts
from tests.functional import own_engine, test_damage, wire

PHASE = builds.Phase
KNOBS: dict[str, Any] = {"reconcile_interval": 2, "min_free_mb": 1}
HEAD = ("fault", "last good push", "requests", "failed", "orphans of ours", "changed of others")


@dataclasses.dataclass(slots=True)
class Scene:
    """A host, a project that serves, its engine, and the clock that the product sees."""

    engine: own_engine.OwnEngine
    host: hosts.Host
    web: hosts.Project
    clock: pathlib.Path

    def pushed_until(self, phase: builds.Phase) -> str:
        """Push, and wait until the build is in a phase."""
        commit = self.web.push()
        self.web.until(phase, commit)
        return commit

    def settled(self, commit: str) -> str:
        """How the last push ended, in words."""

        def look() -> bool:
            serving = self.host.store.serving().get(self.web.name)
            is_live = serving and self.host.store.get(serving.build).commit == commit
            return bool(is_live and all(b.phase.is_end for b in self.web.history()[:3]))

        with contextlib.suppress(AssertionError):
            hosts.wait_for(look, "the end", 120)
            hosts.wait_for(self.web.answers, "an answer", 30)
            if self.web.get() == self.web.version:
                return "live"
        return "NOT LIVE"


def engine_restarts(scene: Scene) -> str:
    commit = scene.pushed_until(PHASE.GATING)
    scene.engine.stop()
    time.sleep(0.5)
    scene.engine.start()
    return scene.settled(commit)


def git_host_is_away(scene: Scene) -> str:
    scene.host.fire = lambda moved: None
    try:
        before = scene.host.entry(scene.web.name)
        away = before.model_copy(update={"repository": "http://git.invalid/web.git"})
        scene.host.replace(away)
        time.sleep(3)
        commit = scene.web.push()
        time.sleep(3)
        scene.host.replace(before)
    finally:
        del scene.host.fire
    return scene.settled(commit)


def git_host_cuts_fetches(scene: Scene) -> str:
    """In the middle of what it sends, each time, until it is itself again."""
    host, before = scene.host, scene.host.entry(scene.web.name)
    with wire.to(host.forge.address) as cut:
        there = before.repository.replace(host.forge.address, cut.address)
        host.replace(before.model_copy(update={"repository": there}))
        cut.cut_after = 64 * 1024
        commit = scene.web.push(large=secrets.token_hex(500_000))
        failed = hosts.wait_for(lambda: _failed(scene, commit), "a fetch that was cut")
        cut.cut_after = None
        ended = scene.settled(commit)
        host.replace(before)
    again = scene.settled(scene.web.push(large=None))
    is_told = cut.cuts and (failed.reason or "").startswith("fetching: git could not fetch")
    return "live" if {ended, again} == {"live"} and is_told else f"NOT LIVE, {failed.reason}"


def _failed(scene: Scene, commit: str) -> builds.Build | None:
    """A build that failed since the last good one; its commit is not known if it had none."""
    newest = scene.web.history()[0]
    return newest if newest.phase is PHASE.FAILED and newest.commit in (commit, None) else None


def base_image_cannot_be_had(scene: Scene) -> str:
    file = scene.web.read("Dockerfile")
    scene.web.deploy(Dockerfile="FROM build-hook.invalid/none:1\n")
    return scene.settled(scene.web.push(Dockerfile=file))


def clock_jumps(seconds: int) -> Callable[[Scene], str]:
    def jump(scene: Scene) -> str:
        commit = scene.pushed_until(PHASE.BUILDING)
        set_clock(scene.clock, seconds)
        ended = scene.settled(commit)
        again = scene.settled(scene.web.push())
        set_clock(scene.clock, 0)
        third = scene.settled(scene.web.push())
        return "live" if {ended, again, third} == {"live"} else "NOT LIVE"

    return jump


def page_is_spoilt(page: int) -> Callable[[Scene], str]:
    def spoil(scene: Scene) -> str:
        test_damage.spoil(scene.host, page)
        return scene.settled(scene.web.push())

    return spoil


def worker_dies(kills: int) -> Callable[[Scene], str]:
    def kill(scene: Scene) -> str:
        commit = ""
        for number in range(kills):
            commit = scene.web.push()
            time.sleep(0.37 * (number % 6))
            scene.host.replaced("worker", scene.host.kill("worker"))
        return scene.settled(commit)

    return kill


FAULTS: tuple[tuple[str, bool, Callable[[Scene], str]], ...] = (
    # name, whether requests may fail (the containers die with the engine), what is done
    ("engine restarted mid-deploy, live-restore", False, engine_restarts),
    ("git host's name does not resolve", False, git_host_is_away),
    ("git host cuts connections in the middle of a fetch", False, git_host_cuts_fetches),
    ("base image's registry does not resolve", False, base_image_cannot_be_had),
    ("clock an hour ahead, and back", False, clock_jumps(3600)),
    ("clock an hour behind, and back", False, clock_jumps(-3600)),
    ("last page of the database spoilt", False, page_is_spoilt(-1)),
    ("first page of the database spoilt", False, page_is_spoilt(0)),
    ("worker killed six times in a row", False, worker_dies(6)),
)
LAST = ("engine restarted mid-deploy, no live-restore", True, engine_restarts)


# Read by every Python that is started inside: the wall clock goes by a file.
SHIM = """import pathlib, time
_real, _file = time.time, pathlib.Path({file!r})
time.time = lambda: _real() + float(_file.read_text() or 0)
"""


@contextlib.contextmanager
def faked(clock: pathlib.Path) -> Generator[None]:
    """What is started inside sees a clock that is off by the seconds in the file."""
    folder = clock.with_name("shim")
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(SHIM.format(file=str(clock)), encoding="utf-8")
    set_clock(clock, 0)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(folder), before)))
    try:
        yield
    finally:
        del os.environ["PYTHONPATH"]
        if before is not None:
            os.environ["PYTHONPATH"] = before


def set_clock(clock: pathlib.Path, seconds: int) -> None:
    """Move the product's clock away from the true one."""
    draft = clock.with_suffix(".new")
    draft.write_text(str(seconds), encoding="ascii")
    draft.replace(clock)


@contextlib.contextmanager
def scene(number: int, *options: str) -> Generator[Scene]:
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(hosts.folder())
        engine = stack.enter_context(own_engine.running(place, number, *options))
        base = stack.enter_context(hosts.base_image(engine.host))
        knobs = {**KNOBS, "docker_host": engine.host}
        host = stack.enter_context(hosts.serving(base, start=False, **knobs))
        with faked(place / "clock"):
            stack.enter_context(host.product)
        host.product.wait_until_ready()
        _strangers(host)
        web = host.add("web", watch=1)
        web.live()
        yield Scene(engine, host, web, place / "clock")
        engine.start()


def _strangers(host: hosts.Host) -> None:
    """Things of others, which must be there unchanged afterwards."""
    api = host.engine.api
    api.tag(host.base, "stranger", "1")
    api.create_volume("stranger")
    api.create_network("stranger", driver="bridge")
    api.create_container("stranger:1", ["/bin/sleep", "9"], name="stranger")


def others(host: hosts.Host) -> dict[str, set[str]]:
    """All that does not carry our label."""
    api = host.engine.api
    ours = labels.INSTANCE

    def strange(found: list[dict[str, Any]], key: str) -> set[str]:
        return {str(one[key]) for one in found if ours not in (one.get("Labels") or {})}

    return {
        "containers": strange(api.containers(all=True), "Id"),
        "images": {tag for one in api.images() for tag in one.get("RepoTags") or ()
                   if ours not in (one.get("Labels") or {})},
        "volumes": strange(api.volumes()["Volumes"] or [], "Name"),
        "networks": strange(api.networks(), "Name"),
    }  # fmt: skip


def orphans(of: Scene) -> int:
    """Containers beyond what serves and what served before, and folders of builds."""
    serving = of.host.store.serving()[of.web.name]
    boxes = [c for c in of.web.boxes() if c.build not in (serving.build, serving.previous)]
    return len(boxes) + len(list(of.host.settings.checkouts.iterdir()))


def inject(of: Scene, fault: tuple[str, bool, Callable[[Scene], str]]) -> tuple[list[str], bool]:
    name, may_fail, act = fault
    before = others(of.host)
    with traffic.Traffic({"web": of.web.url}) as load:
        assert load.wait_for("web", of.web.version, 20)
        ended = act(of)
        load.stop()
    seen, after = load.window(), others(of.host)
    left = orphans(of)
    changed = sum(len(before[kind] ^ after[kind]) for kind in before)
    row = [name, ended, str(seen.requests), str(seen.failed), str(left), str(changed)]
    good = ended == "live" and not left and not changed and (may_fail or not seen.failed)
    if seen.failed:
        print(load.failures(), flush=True)
    return row, good


def trial() -> Generator[tuple[list[str], bool]]:
    with scene(216, "--live-restore") as of:
        for fault in FAULTS:
            yield inject(of, fault)
    with scene(217) as of:
        yield inject(of, LAST)


def page(rows: list[list[str]], command: str) -> str:
    lines = [
        "# What the world does to a host that serves",
        "",
        f"Made by `{command}` on {time.strftime('%d %B %Y', time.gmtime())}.",
        "",
        "A version serves under steady load, on an engine of its own; then the fault, with a push",
        "under way or following it. *Orphans* are containers of ours beyond what serves and what",
        "served before, and folders that builds left. *Changed of others* are containers, images,",
        "volumes and networks without our label that came or went. Requests may fail only where",
        "the engine takes its containers with it.",
        "",
        "| " + " | ".join(HEAD) + " |",
        "| " + " | ".join("---" for _ in HEAD) + " |",
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
        "Faults of commits and settings are in [faults](../faults.md), full disks in",
        "`tests/functional/test_disk_full.py`, kills at random moments in [kill](kill.md).",
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.disasters", description=__doc__)
    parser.add_argument("--write", type=pathlib.Path)
    chosen = parser.parse_args()
    rows: list[list[str]] = []
    good = True
    for row, is_good in trial():
        print("ok " if is_good else "BAD", *row, sep=" | ", flush=True)
        rows.append(row)
        good &= is_good
    if chosen.write:
        chosen.write.write_text(page(rows, "python -m tests.soak.disasters"), encoding="utf-8")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
