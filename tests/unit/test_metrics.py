"""GET /metrics: who may read it, and what it says."""

import re
import time

import pytest

from benchmarks import signed_push
from build_hook.deploy import condition
from build_hook.store import archive, builds, session
from tests import world as worlds

HERE, ELSEWHERE = "127.0.0.1", "203.0.113.9"
SAMPLE = re.compile(r'(build_hook_[a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\]|\\.)*",?)+)\})? (\S+)')


@pytest.fixture
def world(tmp_path):
    return worlds.World(tmp_path / "state")


@pytest.fixture
def store(world):
    made = builds.Builds(world.options.database)
    yield made
    made.close()


def ask(world, address=HERE, **headers):
    return world.call({**worlds.get("/metrics", **headers), "remote_addr": address})


def samples(world):
    """The samples by name and labels; every line is one, or a comment."""
    result = ask(world)
    assert result.status_code == 200
    assert result.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = [line for line in result.text.splitlines() if not line.startswith("# ")]
    found = [SAMPLE.fullmatch(line) for line in lines]
    assert None not in found
    return {(m[1].removeprefix("build_hook_"), m[2]): float(m[3]) for m in found if m}


def build(store, phase, reason=None):
    made = store.add(builds.Request("shop", "refs/heads/main", builds.Cause.PUSH)).id
    if phase is not None:
        store.enter(made, phase, reason)
    return made


def test_this_machine_needs_no_token(world):
    assert ask(world).status_code == 200
    assert ask(world, "::1").status_code == 200


def test_others_need_one(world):
    assert ask(world, ELSEWHERE).status_code == 401
    assert ask(world, ELSEWHERE, **world.token("read")).status_code == 200


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_a_proxy_of_this_machine_is_not_this_machine(world, header):
    assert ask(world, **{header: ELSEWHERE}).status_code == 401


def test_a_wrong_token_is_refused_on_this_machine_too(world):
    assert ask(world, Authorization="Bearer wrong").status_code == 401


def test_builds_by_outcome_outlast_their_rows(world, store):
    live = build(store, builds.Phase.LIVE)
    build(store, builds.Phase.FAILED, "exit 1")
    build(store, builds.Phase.FAILED, "exit 1")
    store.set_serving("shop", live, None)
    store.forget_old("shop", 1)

    found = samples(world)

    assert found["builds_total", 'project="shop",outcome="live"'] == 1
    assert found["builds_total", 'project="shop",outcome="failed"'] == 2
    assert found["last_build_failed", 'project="shop"'] == 1


def test_an_end_that_comes_twice_counts_once(world, store):
    made = build(store, builds.Phase.LIVE)
    store.enter(made, builds.Phase.FAILED)

    assert samples(world)["builds_total", 'project="shop",outcome="live"'] == 1


def test_queue(world, store):
    build(store, builds.Phase.BUILDING)
    store.add(builds.Request("other", "refs/heads/main", builds.Cause.PUSH))
    build(store, None)

    found = samples(world)

    assert found["queue_length", None] == 2
    assert found["builds_running", None] == 1


def test_deliveries_by_verdict_outlast_their_rows(world):
    world.call(worlds.push(delivery="d-1"), worlds.push(delivery="d-1"))
    other = signed_push.body().replace(b"refs/heads/main", b"refs/heads/side")
    world.call(worlds.push(delivery="d-2", body=other))
    of = session.Session(world.options.database)
    archive.Archive(of).forget_old(before=time.time() + 1, most_bytes=0)
    of.close()

    found = samples(world)

    assert found["deliveries_total", 'verdict="build"'] == 1
    assert found["deliveries_total", 'verdict="ignore"'] == 1


def test_what_serves(world, store):
    made = build(store, None)
    store.charge(made, requests=300, failed=2, longest_gap_ms=250)
    store.enter(made, builds.Phase.LIVE)
    store.set_serving("shop", made, None)

    found = samples(world)

    assert 0 <= found["live_age_seconds", 'project="shop"'] < 60
    assert found["cutover_requests_total", 'project="shop"'] == 300
    assert found["cutover_failed_requests_total", 'project="shop"'] == 2
    assert found["cutover_longest_gap_seconds", 'project="shop"'] == 0.25


def test_what_is_wrong(world):
    assert samples(world)["engine_up", None] == 1
    condition.write(
        world.options.run, condition.Condition(engine="down", projects={"shop": "no port"})
    )

    found = samples(world)

    assert found["engine_up", None] == 0
    assert found["project_problem", 'project="shop"'] == 1
    assert found["projects", None] == 1
