"""A build that failed through no fault of its commit is tried again, with growing patience."""

import time

import pytest

from build_hook import project
from build_hook.deploy import retries
from build_hook.store import builds

PHASE, CAUSE = builds.Phase, builds.Cause
TAGS = project.Project(name="shop", repository="https://git.example/shop.git", tags="v*")
TAG = builds.Request("shop", "refs/tags/v2", CAUSE.PUSH, "a" * 40, "Version 2")


@pytest.fixture
def store(tmp_path):
    made = builds.Builds(tmp_path / "db")
    yield made
    made.close()


def failed(store, request=TAG, *, retry=True):
    build = store.add(request)
    store.fail(build.id, "fetching: the git host does not answer", retry=retry)
    return store.get(build.id)


def due(store, after):
    """What is due that many seconds after the last build has ended."""
    ended = store.recent(limit=1)[0].finished or time.time()
    return [build.id for build in retries.due(store, ended + after)]


def asked(store, *projects):
    retries.Retries(store).ask(projects)
    return store.queued()


def test_tag_whose_host_was_away_is_tried_again(store, monkeypatch):
    first = failed(store)
    monkeypatch.setattr(retries, "FIRST", 0.0)

    (again,) = asked(store, TAGS)

    assert (again.ref, again.commit, again.message) == (TAG.ref, TAG.commit, TAG.message)
    assert (again.cause, again.reason) == (CAUSE.PUSH, f"build {first.id} is tried again")


@pytest.mark.parametrize(
    "request_of",
    [
        builds.Request("shop", "refs/heads/main", CAUSE.ROLLBACK, "a" * 40, source=1),
        builds.Request("shop", "refs/heads/main", CAUSE.REBUILD, "a" * 40, fresh=True),
        builds.Request("shop", "refs/heads/main", CAUSE.DEPLOY, force=True),
    ],
    ids=["rollback", "rebuild", "deploy"],
)
def test_what_is_tried_again_is_what_was_asked_for(store, monkeypatch, request_of):
    failed(store, retry=False)
    failed(store, request_of)
    monkeypatch.setattr(retries, "FIRST", 0.0)

    (again,) = asked(store, TAGS)

    assert (again.cause, again.source) == (request_of.cause, request_of.source)
    assert (again.fresh, again.force) == (request_of.fresh, request_of.force)


def test_patience_grows_up_to_its_bound(store):
    waits = []
    for tries in range(1, retries.MOST + 1):
        last = failed(store)
        wait = min(retries.LONGEST, retries.FIRST * 2 ** (tries - 1))
        assert due(store, wait - 1) == []
        assert due(store, wait) == [last.id]
        waits.append(wait)

    assert waits[0] == retries.FIRST
    assert waits[-1] == retries.LONGEST
    failed(store)
    assert due(store, 365 * 86_400) == []


def test_another_push_begins_anew(store):
    for _ in range(5):
        failed(store)
    other = failed(store, builds.Request("shop", "refs/tags/v3", CAUSE.PUSH, "b" * 40))

    assert due(store, retries.FIRST) == [other.id]


def test_clock_that_was_set_back_keeps_nobody_waiting(store):
    last = failed(store)

    assert due(store, -3600) == [last.id]


def test_what_failed_by_its_own_fault_is_not_tried_again(store):
    failed(store, retry=False)

    assert due(store, 86_400) == []


@pytest.mark.parametrize("end", [None, PHASE.LIVE, PHASE.CANCELLED, PHASE.SKIPPED])
def test_nothing_is_tried_again_once_something_came_after(store, end):
    failed(store)
    newer = store.add(TAG)
    if end is not None:
        store.enter(newer.id, end)

    assert due(store, 86_400) == []


def test_what_gave_way_counts_for_nothing(store):
    last = failed(store)
    store.enter(store.add(TAG).id, PHASE.SUPERSEDED, "by a newer push")

    assert due(store, 86_400) == [last.id]


def test_project_that_is_not_registered_is_left_alone(store, monkeypatch):
    failed(store)
    monkeypatch.setattr(retries, "FIRST", 0.0)

    assert asked(store) == []
