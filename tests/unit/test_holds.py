"""What waits and why: pauses, freeze windows, and what goes in spite of them."""

import datetime
import pathlib

import pytest

from build_hook import holds, project, registry, settings
from build_hook.deploy import rebuilds, turns
from build_hook.store import builds, pauses

PHASE, CAUSE = builds.Phase, builds.Cause
FRIDAY = datetime.datetime(2026, 11, 20, 16, 30, tzinfo=datetime.UTC).timestamp()
WEEKEND = "Fri 16:00 - Mon 07:00"


def shop(**of):
    return project.Project.model_validate(
        {"name": "shop", "repository": "https://git.example/shop.git", **of}
    )


def options(**of):
    return settings.Settings.model_validate({"state": pathlib.Path("/x"), **of})


def held(paused=None, when=FRIDAY, **of):
    return holds.Holds(options(**of), paused or {}, when)


PAUSED = pauses.Pause(0.0, "the shop is full")


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("shop", "shop is paused since 1970-01-01 00:00 UTC (the shop is full), until "
                 "build-hook resume shop"),
        (pauses.ALL, "everything is paused since 1970-01-01 00:00 UTC (the shop is full), until "
                     "build-hook resume"),
    ],
)  # fmt: skip
def test_pause_of_one_and_of_all(key, says):
    assert held({key: PAUSED}).why(shop()) == says
    assert held({"blog": PAUSED}).why(shop()) is None


def test_freeze_of_the_project_and_of_the_settings():
    says = "shop is frozen until Mon 2026-11-23 07:00 UTC (Fri 16:00 - Mon 07:00)"

    assert held().why(shop(freeze=[WEEKEND])) == says
    assert held(freeze=WEEKEND).why(shop()) == says
    assert held().why(shop(freeze=["22:00 - 06:00"])) is None


def test_time_zone_of_the_project_goes_before_that_of_the_settings():
    early = FRIDAY - 3600  # 15:30 UTC, 16:30 in Berlin
    frozen = shop(freeze=[WEEKEND])

    assert held(when=early).why(frozen) is None
    assert "Europe/Berlin" in str(held(when=early, time_zone="Europe/Berlin").why(frozen))
    in_london = shop(freeze=[WEEKEND], time_zone="Europe/London")
    assert held(when=early, time_zone="Europe/Berlin").why(in_london) is None


@pytest.fixture
def store(tmp_path):
    made = builds.Builds(tmp_path / "db")
    yield made
    made.close()


def push(store, **of):
    request = builds.Request("shop", "refs/heads/main", CAUSE.PUSH, **of)
    return store.add(request)


@pytest.fixture
def line(store, tmp_path):
    path = tmp_path / "registry.json"
    registry.save(path, registry.Registry(projects=(shop(),)))
    reader = registry.Reader(path)
    reader.refresh()
    return turns.Turns(options(), store, reader)


def test_paused_push_waits_and_says_why_and_only_the_newest_goes_on(store, line):
    pauses.begin(store.session, "shop", "stocktaking")
    first, second = push(store), push(store)

    assert list(line.next(())) == []
    assert "paused" in store.get(second.id).reason
    assert "stocktaking" in store.get(second.id).reason
    assert store.get(first.id).phase is PHASE.SUPERSEDED

    assert pauses.end(store.session, "shop")
    assert [b.id for b in line.next(())] == [second.id]


def test_forced_deploy_and_roll_back_go_through_a_pause(store, line):
    pauses.begin(store.session, None, None)
    forced = push(store, force=True)
    assert [b.id for b in line.next(())] == [forced.id]
    store.enter(forced.id, PHASE.LIVE)

    back = push(store, source=forced.id)
    assert [b.id for b in line.next(())] == [back.id]


def test_push_that_overtakes_a_forced_deploy_goes_in_its_place(store):
    push(store, force=True, fresh=True)

    newer = push(store)

    assert store.get(newer.id).force
    assert store.get(newer.id).fresh


def test_pause_keeps_its_time_and_gets_the_new_reason(store):
    first = pauses.begin(store.session, "shop", "one")
    assert pauses.begin(store.session, "shop", "two") == pauses.Pause(first.since, "two")
    assert pauses.begin(store.session, "shop", None) == pauses.Pause(first.since, "two")
    assert not pauses.end(store.session, "blog")


# --- scheduled rebuilds ----------------------------------------------------------------------


def due(store, now, **of):
    return list(rebuilds.due([shop(rebuild="04:30", **of)], options(), store, now))


@pytest.fixture
def live(store):
    build = push(store, commit="c" * 40)
    store.enter(build.id, PHASE.LIVE)
    store.set_serving("shop", build.id, None)
    return store.get(build.id)


DAY = 86_400


def test_rebuild_is_of_the_commit_that_serves_and_fresh(store, live):
    (found,) = due(store, live.created + DAY)

    assert (found.cause, found.commit, found.fresh) == (CAUSE.REBUILD, live.commit, True)


def test_rebuild_is_asked_for_once(store, live):
    now = live.created + DAY
    (request,) = due(store, now)
    made = store.add(request)
    assert due(store, now) == []
    store.enter(made.id, PHASE.FAILED, "no luck")
    with store.session.transaction() as connection:
        connection.execute("UPDATE builds SET created = ? WHERE id = ?", (now, made.id))

    assert due(store, now + 60) == []
    assert len(due(store, now + DAY)) == 1


def test_rebuild_waits_for_what_is_under_way_and_for_something_to_serve(store, live):
    waiting = push(store)
    assert due(store, live.created + DAY) == []

    store.enter(waiting.id, PHASE.FAILED)
    store.forget_serving("shop")
    assert due(store, live.created + DAY) == []


def test_new_project_is_not_rebuilt_before_its_next_time(store, live):
    midnight = datetime.datetime(2027, 1, 10, tzinfo=datetime.UTC).timestamp()
    with store.session.transaction() as connection:
        connection.execute("UPDATE builds SET created = ?", (midnight - 3600,))

    assert due(store, midnight + 4 * 3600) == []
    assert len(due(store, midnight + 5 * 3600)) == 1


@pytest.fixture
def midnight():
    return datetime.datetime(2027, 1, 10, tzinfo=datetime.UTC).timestamp()


def made(store, cause, at, source):
    """A build of an earlier one's image that serves since then."""
    build = store.add(builds.Request("shop", "refs/heads/main", cause, "c" * 40, source=source))
    store.enter(build.id, PHASE.LIVE)
    with store.session.transaction() as connection:
        connection.execute("UPDATE builds SET created = ? WHERE id = ?", (at, build.id))
    store.set_serving("shop", build.id, source)
    return build


def test_rebuild_does_not_undo_a_roll_back_before_its_next_time(store, live, midnight):
    made(store, CAUSE.ROLLBACK, midnight, live.id)

    assert due(store, midnight + 60) == []
    assert due(store, midnight + 4 * 3600) == []
    assert len(due(store, midnight + 5 * 3600)) == 1


def test_container_that_was_made_anew_is_as_old_as_its_image(store, live, midnight):
    """A machine that stood still at the time of the rebuild, and comes back without it."""
    with store.session.transaction() as connection:
        connection.execute("UPDATE builds SET created = ?", (midnight,))
    made(store, CAUSE.RECONCILE, midnight + 8 * 3600, live.id)

    assert len(due(store, midnight + 8 * 3600 + 60)) == 1


def test_rebuild_heeds_the_time_zone(store, live):
    begin = datetime.datetime(2027, 1, 10, 3, 40, tzinfo=datetime.UTC).timestamp()
    with store.session.transaction() as connection:
        connection.execute("UPDATE builds SET created = ?", (begin - 3600,))

    assert due(store, begin) == []
    assert len(due(store, begin, time_zone="Europe/Berlin")) == 1
