import pytest

from build_hook.demo import show
from build_hook.store import builds


@pytest.fixture
def store(tmp_path):
    opened = builds.Builds(tmp_path / "builds.db")
    yield opened
    opened.close()


def ask(store, commit):
    return store.add(builds.Request("web", "refs/heads/main", builds.Cause.PUSH, commit=commit))


def test_build_of_a_commit_is_found_among_others(store):
    first = ask(store, "a" * 40)
    store.enter(first.id, builds.Phase.LIVE)
    ask(store, "b" * 40)

    found = show.build_of("a" * 40, store.recent("web"))

    assert found
    assert found.id == first.id


@pytest.mark.parametrize("spare", [builds.Phase.SKIPPED, builds.Phase.SUPERSEDED])
def test_second_build_of_a_commit_does_not_count(store, spare):
    first = ask(store, "a" * 40)
    store.enter(first.id, builds.Phase.BUILDING)
    second = ask(store, "a" * 40)
    store.enter(second.id, spare)

    found = show.build_of("a" * 40, store.recent("web"))

    assert found
    assert found.id == first.id


def test_only_build_counts_however_it_ended(store):
    only = ask(store, "a" * 40)
    store.enter(only.id, builds.Phase.SKIPPED, "no change")

    found = show.build_of("a" * 40, store.recent("web"))

    assert found
    assert found.phase is builds.Phase.SKIPPED


def test_commit_that_nobody_asked_for_has_no_build(store):
    ask(store, "a" * 40)

    assert show.build_of("b" * 40, store.recent("web")) is None


def test_phase_is_as_long_as_until_the_next():
    phases = [(builds.Phase.FETCHING, 1.0), (builds.Phase.BUILDING, 2.0)]

    assert show.length([*phases, (builds.Phase.STARTING, 4.5)], builds.Phase.BUILDING) == 2.5
    assert show.length(phases, builds.Phase.BUILDING) is None
