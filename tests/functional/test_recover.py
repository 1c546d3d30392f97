import pytest

from build_hook import errors, labels
from build_hook.deploy import farewell, job, recover, tend
from build_hook.proxy import front
from build_hook.store import builds
from tests.functional import host as hosts

PHASE, CAUSE = builds.Phase, builds.Cause
BEFORE_TRAFFIC = (PHASE.FETCHING, PHASE.BUILDING, PHASE.STARTING, PHASE.GATING)
WITH_TRAFFIC = (PHASE.SWITCHING, PHASE.DRAINING, PHASE.WATCHING)


@pytest.fixture
def alone(base):
    """A host whose three processes do not run."""
    with hosts.serving(base, start=False) as made:
        yield made


@pytest.fixture
def recovery(alone):
    farewells = farewell.Farewells(
        alone.settings, alone.store, alone.containers, front.Front(alone.settings)
    )
    return recover.Recovery(alone.settings, alone.store, alone.containers, farewells)


@pytest.fixture
def build(alone, base):
    """Makes a build as a crash left it: its row, and its container unless it has none."""

    def make(phase, *, container="running", previous=None, serves=False, **given):
        row = alone.store.add(builds.Request("shop", "refs/heads/main", CAUSE.PUSH, "c" * 40))
        of = hosts.plain_project("shop", **given)
        alone.store.note(row.id, settings=of.model_dump_json(exclude_defaults=True), image=base)
        if container:
            found = alone.containers.start(of, row.id, "c" * 40, base)
            if container == "exited":
                alone.containers.stop(found.id, 0)
        if phase is not PHASE.QUEUED:
            alone.store.enter(row.id, phase)
        if serves:
            alone.store.set_serving("shop", row.id, previous)
        return alone.store.get(row.id)

    return make


def states(host):
    return hosts.names(host.containers.all())


@pytest.mark.parametrize("phase", BEFORE_TRAFFIC)
def test_build_without_traffic_starts_again(alone, recovery, build, phase):
    old = build(PHASE.LIVE, serves=True)
    new = build(phase)

    assert recovery.sort_out() == []

    assert [b.id for b in alone.store.queued()] == [new.id]
    assert states(alone) == [(old.id, "running")]


def test_cancelled_build_without_traffic_is_cancelled(alone, recovery, build):
    new = build(PHASE.GATING)
    alone.store.ask_cancel(new.id)

    recovery.sort_out()

    assert alone.store.get(new.id).phase is PHASE.CANCELLED
    assert states(alone) == []


def test_build_that_a_newer_one_waits_for_is_superseded(alone, recovery, build):
    first = build(PHASE.GATING)
    second = build(PHASE.QUEUED, container=None)

    recovery.sort_out()

    assert alone.store.get(first.id).phase is PHASE.SUPERSEDED
    assert [b.id for b in alone.store.queued()] == [second.id]
    assert states(alone) == []


@pytest.mark.parametrize("phase", WITH_TRAFFIC)
def test_build_with_traffic_is_to_be_finished(recovery, build, phase):
    new = build(phase)

    unfinished = recovery.sort_out()

    assert [(u.build, u.container.build) for u in unfinished] == [(new, new.id)]


@pytest.mark.parametrize(
    ("phase", "container"), [(PHASE.SWITCHING, None), (PHASE.WATCHING, "exited")]
)
def test_build_with_traffic_that_died_gives_it_back(alone, recovery, build, phase, container):
    old = build(PHASE.LIVE, serves=True)
    new = build(phase, container=container, serves=True, previous=old.id)

    assert recovery.sort_out() == []
    targets = recovery.adopt([hosts.plain_project("shop")])
    recovery.sweep()

    ended = alone.store.get(new.id)
    assert ended.phase is PHASE.FAILED
    assert ended.retry  # else the push would be lost
    assert ended.reason == f"{phase}: its container was gone when the worker came back"
    assert alone.store.serving()["shop"] == builds.Serving("shop", old.id, None)
    found = alone.containers.of_build("shop", old.id)
    assert found is not None
    assert targets["shop"].addresses == found.addresses
    assert states(alone) == [(old.id, "running")]


@pytest.mark.parametrize("phase", [PHASE.DRAINING, PHASE.WATCHING])
@pytest.mark.parametrize("cancel", [True, False])
def test_build_that_was_being_taken_back_stays_so(alone, recovery, build, phase, cancel):
    """Else its users would meet it once more."""
    old = build(PHASE.LIVE, serves=True)
    new = build(phase)
    if cancel:
        alone.store.ask_cancel(new.id)

    assert recovery.sort_out() == []

    ended = alone.store.get(new.id)
    assert ended.phase is (PHASE.CANCELLED if cancel else PHASE.ROLLED_BACK)
    assert ended.reason.endswith(f"Build {old.id} serves again")
    assert alone.store.serving()["shop"] == builds.Serving("shop", old.id, None)
    assert states(alone) == [(old.id, "running")]


def test_old_version_that_had_to_stop_first_is_not_started_beside_the_new_one(
    alone, recovery, build
):
    old = build(PHASE.LIVE, container="exited", serves=True, strategy="recreate")
    new = build(PHASE.SWITCHING, strategy="recreate")

    unfinished = recovery.sort_out()
    targets = recovery.adopt([hosts.plain_project("shop")])

    assert [item.build.id for item in unfinished] == [new.id]
    assert alone.store.serving()["shop"] == builds.Serving("shop", new.id, old.id)
    assert targets["shop"].addresses == alone.containers.of_build("shop", new.id).addresses
    assert states(alone) == [(old.id, "exited"), (new.id, "running")]


def test_stopped_container_that_should_serve_is_started(alone, recovery, build):
    live = build(PHASE.LIVE, container="exited", serves=True)

    targets = recovery.adopt([hosts.plain_project("shop")])

    assert states(alone) == [(live.id, "running")]
    found = alone.containers.of_build("shop", live.id)
    assert found is not None
    assert targets["shop"].addresses == found.addresses


def remake(host):
    tend.remake(host.store, host.images, host.store.serving()["shop"])


def test_lost_container_is_made_anew_from_its_image(alone, recovery, build):
    live = build(PHASE.LIVE, container=None, serves=True)

    assert recovery.adopt([hosts.plain_project("shop")]) == {}
    remake(alone)

    (again,) = alone.store.queued()
    assert (again.source, again.cause) == (live.id, CAUSE.RECONCILE)
    assert alone.store.serving()["shop"].build == live.id


def test_lost_container_whose_image_is_gone_is_built_again(alone, build):
    live = build(PHASE.LIVE, container=None, serves=True)
    alone.store.note(live.id, image=f"sha256:{'0' * 64}")

    remake(alone)

    (again,) = alone.store.queued()
    assert (again.source, again.ref) == (None, live.ref)
    assert alone.store.serving() == {}


def test_lost_container_does_not_push_a_queued_build_aside(alone, build):
    build(PHASE.LIVE, container=None, serves=True)
    pushed = build(PHASE.QUEUED, container=None)

    remake(alone)

    assert [b.id for b in alone.store.queued()] == [pushed.id]


def test_sweep_keeps_what_serves_served_last_or_is_under_way(alone, recovery, build):
    left = build(PHASE.FAILED)
    previous = build(PHASE.LIVE, container="exited")
    live = build(PHASE.LIVE, serves=True, previous=previous.id)
    under_way = build(PHASE.WATCHING)

    recovery.sweep()

    assert states(alone) == [
        (previous.id, "exited"),
        (live.id, "running"),
        (under_way.id, "running"),
    ]
    assert left.id not in {build for build, _ in states(alone)}


def test_build_that_cannot_be_sorted_out_keeps_nobody_from_the_others(
    alone, recovery, build, monkeypatch
):
    first, second = build(PHASE.WATCHING), build(PHASE.WATCHING)
    has = recovery._rescue.has

    def broken(one):
        if one.id == first.id:
            raise RuntimeError("nobody thought of this")
        return has(one)

    monkeypatch.setattr(recovery._rescue, "has", broken)

    unfinished = recovery.sort_out()

    assert [item.build.id for item in unfinished] == [second.id]
    ended = alone.store.get(first.id)
    assert (ended.phase, ended.retry) == (PHASE.FAILED, True)
    assert "could not be sorted out after a crash: nobody thought of this" in ended.reason


def test_container_that_the_engine_does_not_let_go_stops_nothing_else(
    alone, recovery, build, monkeypatch
):
    stays, goes = build(PHASE.FAILED), build(PHASE.FAILED)
    live = build(PHASE.LIVE, serves=True)
    remove = alone.containers.remove
    stuck = alone.containers.of_build("shop", stays.id).id

    def refuse(container):
        if container == stuck:
            raise errors.ContainerError("The engine could not remove a container")
        remove(container)

    monkeypatch.setattr(alone.containers, "remove", refuse)

    recovery.sweep()

    assert states(alone) == [(stays.id, "running"), (live.id, "running")]
    assert goes.id not in {number for number, _ in states(alone)}


def test_sweep_leaves_strangers_alone(alone, recovery, base):
    api = alone.engine.api
    others = {**labels.of_build("another", "shop", 1, "c" * 40)}
    stranger = api.create_container(base, ["/bin/sleep", "60"], labels=others)["Id"]
    try:
        recovery.sweep()

        assert api.inspect_container(stranger)["State"]["Status"] == "created"
    finally:
        api.remove_container(stranger, force=True)


def test_settings_of_the_deploy_are_used_not_those_of_today(alone, recovery, build):
    live = build(PHASE.LIVE, serves=True)
    today = hosts.plain_project("shop", environment={"NEW": "1"})

    targets = recovery.adopt([today])

    assert targets["shop"].project == job.deployed_with(live, None)
