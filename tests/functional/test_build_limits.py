"""Hostile builds: each is refused or stopped at its limit, and what serves goes on."""

import contextlib
import pathlib
import random
import re
import shutil
import time
import uuid

import pytest

from build_hook.store import builds
from tests.functional import host as hosts

PHASE = builds.Phase
HEAD = "ARG BASE\nFROM ${BASE}\n"
TAIL = (
    '\nCOPY serve.sh /serve.sh\nCOPY version.txt /www/index.html\nCMD ["/bin/sh", "/serve.sh"]\n'
)
LIMITS = {"cpus": 0.5, "memory": "64m", "pids": 64}

FORK_BOMB = "RUN b() { b | b & }; b; sleep 60"
# One process that holds more and more: a shell variable that doubles.
MEMORY_HOG = "RUN x=0123456789abcdef; while :; do x=$x$x; done"
ENDLESS_LOG = "RUN while :; do echo all work and no play; done"
ENDLESS = "RUN sleep 600"


def unlike_any_cached(*lines: str) -> str:
    return f"{HEAD}RUN : {uuid.uuid4()}\n" + "\n".join(lines) + TAIL


def serve(host, name, timeout=60.0, **limits):
    """A project that serves, whose builds have narrow limits."""
    made = host.add(name, build={"limits": {**LIMITS, **limits}, "timeout": timeout})
    made.live()
    return made


def stopped(web, dockerfile, seconds=40.0):
    """Push it; how it ended, and that what served still does."""
    serving, answer = web.serving(), web.get()
    build = web.deploy(Dockerfile=dockerfile)
    assert build.phase is PHASE.FAILED
    assert (web.serving().id, web.get()) == (serving.id, answer)
    took = build.finished - build.created
    assert took < seconds
    return build.reason or ""


def test_fork_bomb_is_stopped(host):
    reason = stopped(serve(host, "bomb"), unlike_any_cached(FORK_BOMB))

    assert reason.startswith("building: The build wanted more than 64 processes and was stopped")


def test_exceptions_of_its_own_hide_no_build(host):
    """What a Dockerfile says of NO_PROXY stands beside what the warden looks for."""
    mine = f"ENV NO_PROXY=bomb.{host.settings.instance}.build-hook.invalid no_proxy=elsewhere"
    reason = stopped(serve(host, "hidden"), unlike_any_cached(mine, FORK_BOMB))

    assert "wanted more than 64 processes and was stopped" in reason


def test_memory_hog_is_stopped(host):
    reason = stopped(serve(host, "hog"), unlike_any_cached(MEMORY_HOG))

    assert "wanted more than 64 MiB of memory" in reason or "exit code: 137" in reason


def test_endless_build_is_stopped(host):
    reason = stopped(serve(host, "endless", timeout=3), unlike_any_cached(ENDLESS), 20)

    assert "took longer than 3 s and was stopped" in reason


def test_endless_log_is_stopped_and_bounded(host):
    web = serve(host, "chatter", timeout=5)

    reason = stopped(web, unlike_any_cached(ENDLESS_LOG), 25)

    assert "took longer than 5 s" in reason
    newest = web.history()[0]
    size = (host.settings.logs / f"{newest.id}.log").stat().st_size
    assert size < host.settings.build_log_mb * 2**20 + 1000


@pytest.mark.alone
def test_processors_are_limited(host):
    work = "RUN i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"
    took = {}
    for cpus in (1.0, 0.1):
        web = serve(host, f"busy-{cpus:g}".replace(".", "-"), cpus=cpus)
        begun = time.monotonic()
        web.live(Dockerfile=unlike_any_cached(work))
        took[cpus] = time.monotonic() - begun

    assert took[0.1] > took[1.0] + 0.5


def test_cancelled_build_leaves_no_step(host):
    web = serve(host, "unwanted")
    seconds = str(random.randint(10_000, 99_999))
    commit = web.push(Dockerfile=unlike_any_cached(f"RUN sleep {seconds}"))
    build = web.until(PHASE.BUILDING, commit)
    host.until(lambda: sleeping(seconds), "the step")

    host.run("cancel", str(build.id))

    assert web.ended(commit).phase is PHASE.CANCELLED
    host.until(lambda: not sleeping(seconds), "the end of the step")


def sleeping(seconds: str) -> bool:
    """Whether a sleep of that length runs anywhere on the machine."""
    for file in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if file.read_bytes() == f"sleep\0{seconds}\0".encode():
                return True
    return False


def test_links_out_of_the_context_lead_nowhere(host):
    web = serve(host, "links")

    def link(name, target):
        path = web.copy.folder / name
        path.unlink(missing_ok=True)
        path.symlink_to(target)

    link("hosts", "/etc/hostname")
    reason = stopped(web, unlike_any_cached("COPY hosts /hosts"))
    assert "The build failed" in reason

    (web.copy.folder / "Dockerfile").unlink()
    link("Dockerfile", "/etc/hostname")
    commit = web.push()
    assert "leads out of the repository" in (web.ended(commit).reason or "")


def test_common_limits_hold_for_projects_without_their_own(base):
    knobs = {"build_pids": 40, "build_memory_mb": 48, "build_cpus": 0.5, "build_context_mb": 1}
    with hosts.serving(base, min_free_mb=10, **knobs) as host:
        web = host.add("plain")
        web.live()
        bomb = stopped(web, unlike_any_cached(FORK_BOMB))
        hog = stopped(web, unlike_any_cached(MEMORY_HOG))
        (web.copy.folder / "large").write_bytes(bytes(2**20 + 1))
        large = stopped(web, unlike_any_cached())
        said = host.run("doctor", code=0)["findings"]

    assert "wanted more than 40 processes" in bomb
    assert "wanted more than 48 MiB of memory" in hog or "exit code: 137" in hog
    assert "hold 1 MiB, more than 1. Leave out" in large
    (limits,) = (f for f in said if f["subject"] == "build limits")
    assert limits["detail"] == "builds take 0.5 processors, 48 MiB and 40 processes at most"


def test_limits_can_be_turned_off(base):
    with hosts.serving(base, min_free_mb=10, build_limits="off", build_pids=20) as host:
        crowd = "RUN i=0; while [ $i -lt 30 ]; do sleep 1 & i=$((i+1)); done; wait"
        host.add("crowd").live(Dockerfile=unlike_any_cached(crowd))
        said = host.run("doctor", code=0)["findings"]

    (limits,) = (f for f in said if f["subject"] == "build limits")
    assert limits == {"subject": "build limits", "ok": True, "detail": "turned off"}


@pytest.mark.alone
def test_build_that_fills_the_disk_is_stopped(base):
    """The watch on free space, with a bound just below what is free now."""
    with hosts.serving(base, min_free_mb=10) as host:
        host.add("first").live()
        free = shutil.disk_usage(host.engine.data_root()).free // 2**20
        file = host.settings.state / "settings.toml"
        file.write_text(f"min_free_mb = {free - 400}\n", encoding="utf-8")
        host.restart("worker")
        web = host.add("filler")
        fill = "RUN dd if=/dev/zero of=/large bs=1048576 count=8000; sleep 30"
        build = web.deploy(Dockerfile=unlike_any_cached(fill))

    assert build.phase is PHASE.FAILED
    assert build.retry
    assert re.match(r"building: Only \d+ MiB are free in", build.reason or "")
