import dataclasses

import pytest

from build_hook import project
from build_hook.deploy import reconcile
from build_hook.store import builds

PHASE, CAUSE = builds.Phase, builds.Cause
SHOP = project.Project(name="shop", repository="https://git.example/shop.git")
A, B, C = "a" * 40, "b" * 40, "c" * 40


@pytest.fixture
def store(tmp_path):
    made = builds.Builds(tmp_path / "db")
    yield made
    made.close()


@dataclasses.dataclass
class History:
    """Makes builds as the worker leaves them."""

    store: builds.Builds
    live: int | None = None

    def add(self, commit, end=PHASE.LIVE, *, of=SHOP, source=None, retry=False):
        cause = CAUSE.ROLLBACK if source else CAUSE.PUSH
        build = self.store.add(builds.Request(of.name, of.ref, cause, commit, source=source))
        self.store.note(build.id, settings=of.model_dump_json(exclude_defaults=True))
        if end is PHASE.FAILED:
            self.store.fail(build.id, "broken", retry=retry)
        elif end is not None:
            self.store.enter(build.id, end)
        if end is PHASE.LIVE:
            self.store.set_serving(of.name, build.id, self.live)
            self.live = build.id
        return build


@pytest.fixture
def history(store):
    return History(store)


def wanted(store, head, of=SHOP):
    request = reconcile.missing(store, of, head)
    assert request is None or (request.commit, request.ref) == (head, of.ref)
    return request is not None


def test_project_that_was_never_built_is_built(store):
    request = reconcile.missing(store, SHOP, A)

    assert request == builds.Request("shop", SHOP.ref, CAUSE.RECONCILE, A)


def test_what_is_live_is_not_built_again(store, history):
    history.add(A)

    assert not wanted(store, A)
    assert wanted(store, B)


@pytest.mark.parametrize("phase", [None, PHASE.FETCHING, PHASE.WATCHING])
def test_nothing_is_asked_for_while_a_build_is_under_way(store, history, phase):
    history.add(A)
    history.add(B, phase)

    assert not wanted(store, C)


def test_commit_that_failed_is_not_tried_for_ever(store, history):
    history.add(A)
    history.add(B, PHASE.FAILED)

    assert not wanted(store, B)
    assert wanted(store, C)


def test_commit_that_failed_by_the_worlds_fault_is_tried_again(store, history):
    history.add(A)
    history.add(B, PHASE.FAILED, retry=True)

    assert wanted(store, B)


def test_cancelled_and_rolled_back_commits_stay_so(store, history):
    history.add(A)
    history.add(B, PHASE.CANCELLED)
    assert not wanted(store, B)

    history.add(C, PHASE.ROLLED_BACK)
    assert not wanted(store, C)


def test_superseded_commit_does_not_count(store, history):
    history.add(A)
    history.add(B, PHASE.SUPERSEDED)

    assert wanted(store, B)


def test_roll_back_by_a_person_is_not_undone(store, history):
    first = history.add(A)
    history.add(B)
    history.add(A, source=first.id)

    assert not wanted(store, B)
    assert wanted(store, C)


def test_head_that_was_pushed_back_is_built_again(store, history):
    history.add(A)
    history.add(B)

    assert wanted(store, A)


@pytest.mark.parametrize("end", [PHASE.LIVE, PHASE.SKIPPED])
def test_project_that_left_and_came_back_is_built_again(store, history, end):
    history.add(A)
    history.add(A, end)
    store.forget_serving("shop")

    assert wanted(store, A)


def test_new_run_settings_are_deployed(store, history):
    history.add(A)
    changed = SHOP.model_copy(update={"environment": {"X": "1"}})

    assert wanted(store, A, changed)


def test_settings_that_a_container_does_not_depend_on_are_not(store, history):
    history.add(A)
    changed = SHOP.model_copy(update={"drain": 77.0, "webhook_secrets": ("other",)})

    assert not wanted(store, A, changed)
