import pytest

from build_hook import errors
from build_hook.store import builds, enqueuing

PHASE = builds.Phase
REQUEST = builds.Request("shop", "refs/heads/main", builds.Cause.PUSH, commit="c" * 40)


@pytest.fixture
def store(tmp_path):
    made = builds.Builds(tmp_path / "db")
    yield made
    made.close()


def names(store, build):
    return [phase for phase, _ in store.phases(build.id)]


def test_newer_build_supersedes_the_queued_one_of_its_project_only(store):
    first = store.add(REQUEST)
    other = store.add(builds.Request("blog", "refs/heads/main", builds.Cause.PUSH))

    second = store.add(REQUEST)

    assert store.get(first.id).phase is PHASE.SUPERSEDED
    assert store.get(first.id).reason == f"by build {second.id}"
    assert [b.id for b in store.queued()] == [other.id, second.id]


def test_a_push_that_had_to_give_way_is_remembered(store):
    store.add(REQUEST)
    ref = REQUEST.ref

    def overtaken(project="shop", of=ref, commit="c" * 40):
        return enqueuing.was_overtaken(store.session, project, of, commit)

    assert not overtaken()
    store.add(builds.Request("shop", ref, builds.Cause.PUSH, commit="d" * 40))
    assert overtaken()
    assert not overtaken(commit="d" * 40)
    assert not overtaken(project="blog")
    assert not overtaken(of="refs/heads/other")


def test_running_build_is_not_superseded(store):
    first = store.add(REQUEST)
    store.enter(first.id, PHASE.FETCHING)

    second = store.add(REQUEST)

    assert store.get(first.id).phase is PHASE.FETCHING
    assert store.newer_queued(first)
    assert not store.newer_queued(second)


def test_superseded_build_does_not_come_back(store):
    """The worker may have taken it from the queue just before the newer push came."""
    first = store.add(REQUEST)
    store.add(REQUEST)

    with pytest.raises(errors.CancelledError, match="is superseded"):
        store.enter(first.id, PHASE.FETCHING)
    store.enter(first.id, PHASE.CANCELLED, "too late")
    store.fail(first.id, "too late", retry=True)

    assert store.get(first.id).phase is PHASE.SUPERSEDED
    assert not store.get(first.id).retry
    assert names(store, first) == [PHASE.QUEUED, PHASE.SUPERSEDED]


def test_cancelled_build_enters_no_phase_before_traffic(store):
    build = store.add(REQUEST)
    store.enter(build.id, PHASE.GATING)
    store.ask_cancel(build.id)

    with pytest.raises(errors.CancelledError):
        store.enter(build.id, PHASE.SWITCHING)
    store.enter(build.id, PHASE.CANCELLED, "as asked")

    assert store.get(build.id).reason == "as asked"


def test_cancelled_queued_build_has_ended(store):
    build = store.add(REQUEST)

    assert store.ask_cancel(build.id).phase is PHASE.CANCELLED
    with pytest.raises(errors.StoreError, match="has ended already: cancelled"):
        store.ask_cancel(build.id)
    assert names(store, build) == [PHASE.QUEUED, PHASE.CANCELLED]


@pytest.mark.parametrize("phase", [PHASE.SWITCHING, PHASE.DRAINING, PHASE.WATCHING])
def test_first_build_that_serves_is_not_cancelled(store, phase):
    build = store.add(REQUEST)
    store.enter(build.id, phase)
    store.set_serving("shop", build.id, None)

    with pytest.raises(errors.StoreError, match="nothing served before it"):
        store.ask_cancel(build.id)
    assert not store.get(build.id).cancel


@pytest.mark.parametrize("phase", [PHASE.SWITCHING, PHASE.DRAINING, PHASE.WATCHING])
def test_build_that_serves_is_cancelled_and_may_be_finished_after_a_crash(store, phase):
    """Whoever goes on with it enters its phases once more, and takes the traffic back."""
    old = store.add(REQUEST)
    store.enter(old.id, PHASE.LIVE)
    build = store.add(REQUEST)
    store.enter(build.id, phase)
    store.set_serving("shop", build.id, old.id)

    assert store.ask_cancel(build.id).cancel
    for again in (PHASE.SWITCHING, PHASE.DRAINING, PHASE.WATCHING):
        store.enter(build.id, again)
    store.enter(build.id, PHASE.CANCELLED, "taken back")

    assert store.get(build.id).phase is PHASE.CANCELLED


def test_build_is_queued_again_unless_a_newer_one_waits(store):
    first = store.add(REQUEST)
    store.enter(first.id, PHASE.BUILDING)
    store.requeue(first.id, "the engine went away")
    assert [(b.id, b.reason) for b in store.queued()] == [(first.id, "the engine went away")]

    store.enter(first.id, PHASE.BUILDING)
    second = store.add(REQUEST)
    store.requeue(first.id, "the engine went away")

    assert store.get(first.id).phase is PHASE.SUPERSEDED
    assert [b.id for b in store.queued()] == [second.id]


def test_old_builds_are_forgotten_but_those_that_serve_or_run(store):
    made = [store.add(REQUEST) for _ in range(2)]
    for build in made:
        store.enter(build.id, PHASE.LIVE)
    store.set_serving("shop", made[1].id, made[0].id)
    ended = [store.add(REQUEST) for _ in range(3)]
    for build in ended:
        store.enter(build.id, PHASE.SKIPPED)
    running = store.add(REQUEST)
    store.enter(running.id, PHASE.BUILDING)
    newest = store.add(REQUEST)

    gone = store.forget_old("shop", 1)

    assert gone == [b.id for b in ended]
    assert [b.id for b in store.recent("shop")] == [newest.id, running.id, made[1].id, made[0].id]


def test_columns_that_are_not_there_are_refused(store):
    with pytest.raises(ValueError, match="no such columns"):
        store.note(store.add(REQUEST).id, **{"phase = 'live' --": "x"})


def test_database_that_cannot_be_written_is_one_clear_error(store):
    store._session.rows(f"PRAGMA max_page_count = {store_pages(store)}")

    fill = (store.add(REQUEST) for _ in range(1000))

    with pytest.raises(errors.StoreError, match=r"database or disk is full\. Make room"):
        list(fill)
    store._session.rows("PRAGMA max_page_count = 100000")

    assert store.add(REQUEST).phase is PHASE.QUEUED


def store_pages(store):
    return store._session.rows("PRAGMA page_count")[0][0]
