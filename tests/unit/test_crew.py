"""An error that nobody foresaw is one build's, not the worker's."""

import threading
import time

import pytest

from build_hook import errors, project, registry, settings
from build_hook.deploy import containers, crew, engine, pipeline, recover, turns
from build_hook.proxy import fronts
from build_hook.store import builds

PHASE = builds.Phase
SHOP = project.Project(name="shop", repository="https://git.example/shop.git")


@pytest.fixture
def options(tmp_path):
    return settings.load(tmp_path / "state", {"BUILD_HOOK_CONCURRENCY": "1"})


@pytest.fixture
def store(options):
    made = builds.Builds(options.database)
    yield made
    made.close()


@pytest.fixture
def known(options):
    registry.save(options.registry, registry.Registry(projects=(SHOP,)))
    made = registry.Reader(options.registry)
    made.refresh()
    return made


class Away(engine.Engine):
    """An engine that does not answer."""

    @property
    def api(self):
        raise errors.EngineDownError("The engine is away")

    def ping(self):
        assert self.api


@pytest.fixture
def line(options, store):
    away = Away("unix:///nowhere", options.instance)
    return pipeline.Pipeline(options, away, store, fronts.Fronts(options))


class Ended:
    """Waits for the end of the build that is worked on."""

    def __init__(self):
        self.builds = []
        self._came = threading.Event()

    def __call__(self, of, ended):
        self.builds.append(ended)
        self._came.set()

    def one(self):
        assert self._came.wait(20), "no build has ended"
        (build,) = self.builds
        return build


@pytest.fixture
def ended():
    return Ended()


@pytest.fixture
def hands(options, store, line, known, ended, monkeypatch):
    def leave(why, *of):
        pytest.fail(f"the worker ended: {why}")

    monkeypatch.setattr(crew, "leave", leave)
    return crew.Crew(options, store, line, known, turns.Turns(options, store, known), ended)


def build(store, phase=PHASE.QUEUED):
    made = store.add(builds.Request("shop", SHOP.ref, builds.Cause.PUSH, "a" * 40))
    store.note(made.id, settings=SHOP.model_dump_json(exclude_defaults=True))
    if phase is not PHASE.QUEUED:
        store.enter(made.id, phase)
    return store.get(made.id)


def broken(*_, **__):
    raise RuntimeError("nobody thought of this")


def left(of):
    """A build that a crash left with traffic, and what is left of its container."""
    box = containers.Container(
        id="c" * 64, name="shop-1-x", project="shop", build=of.id, commit="a" * 40,
        status="running", address="127.0.0.1", restarts=0, exit_code=0, out_of_memory=False,
        health=None, started=0.0,
    )  # fmt: skip
    return recover.Unfinished(of, box)


@pytest.mark.parametrize("phase", [PHASE.SWITCHING, PHASE.DRAINING, PHASE.WATCHING])
def test_unforeseen_error_while_a_crash_is_cleared_up_is_that_builds(
    store, line, hands, ended, monkeypatch, phase
):
    monkeypatch.setattr(line._cycle, "replace", broken)

    hands.resume(left(build(store, phase)))

    found = ended.one()
    assert found.phase is PHASE.FAILED
    assert found.reason.startswith(f"{phase}: Unforeseen: RuntimeError")
    assert hands.busy == {}


@pytest.mark.parametrize("place", ["deploy.pipeline.Pipeline._fail", "deploy.leftovers.take_back"])
def test_unforeseen_error_where_a_build_fails_is_that_builds_as_well(
    store, line, hands, ended, monkeypatch, place
):
    monkeypatch.setattr(line._cycle, "replace", broken)
    monkeypatch.setattr(f"build_hook.{place}", broken)

    hands.resume(left(build(store, PHASE.WATCHING)))

    assert ended.one().phase is PHASE.FAILED
    assert "Unforeseen: RuntimeError" in ended.one().reason


def test_slot_is_taken_by_a_build_and_free_after_it(store, line, hands, ended, monkeypatch):
    has_room = []

    def run(of):
        has_room.append(hands.has_room)
        of.end(PHASE.SKIPPED, "nothing to do")

    monkeypatch.setattr(line, "run", run)
    hands.begin(build(store))

    assert ended.one().phase is PHASE.SKIPPED
    assert has_room == [False]
    assert hands.has_room


def test_unfinished_build_takes_no_slot(store, line, hands, ended, monkeypatch):
    has_room = []

    def resume(of, candidate):
        has_room.append(hands.has_room)
        of.end(PHASE.LIVE)

    monkeypatch.setattr(line, "resume", resume)
    hands.resume(left(build(store, PHASE.WATCHING)))

    assert ended.one().phase is PHASE.LIVE
    assert has_room == [True]


def test_build_that_waits_for_the_engine_comes_back(store, line, hands, ended, monkeypatch):
    def run(of):
        store.requeue(of.build.id, "the engine is away")
        raise errors.EngineDownError("The engine is away")

    monkeypatch.setattr(line, "run", run)
    hands.begin(build(store))

    assert ended.one().phase is PHASE.QUEUED
    assert hands.has_room


def test_build_that_hangs_is_told_and_one_that_is_slow_is_not(
    store, line, hands, ended, monkeypatch
):
    goes_on, jobs = threading.Event(), []

    def run(of):
        jobs.append(of)
        goes_on.wait(20)
        of.end(PHASE.SKIPPED, "nothing to do")

    monkeypatch.setattr(line, "run", run)
    hands.begin(build(store))
    while not jobs:
        time.sleep(0.01)
    (of,) = jobs

    of.seen = time.time() - 600
    assert hands.problems == {}
    of.seen = time.time() - 600 - SHOP.drain - SHOP.stop_grace_period - SHOP.health.timeout - 1
    assert f"Build {of.build.id} gave no sign of life since" in hands.problems["shop"]
    of.check_stop()
    assert hands.problems == {}

    of.seen = 0
    goes_on.set()
    assert ended.one().phase is PHASE.SKIPPED
    assert hands.problems == {}
