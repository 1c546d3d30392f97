import json
import time

import pytest

from build_hook import errors, settings
from build_hook.deploy import housekeeping
from build_hook.store import archive, builds, deliveries, records, session

NOW = 1_800_000_000.0


@pytest.fixture
def path(tmp_path):
    return tmp_path / "db"


@pytest.fixture
def of(path):
    opened = session.Session(path)
    yield opened
    opened.close()


@pytest.fixture
def stored(of):
    return archive.Archive(of)


def add(of, number, *, project="shop", received=NOW, body=b"{}", build=False):
    row = deliveries.Delivery(
        received=received,
        provider="github",
        delivery_id=f"d-{number}",
        event="push",
        remote="192.0.2.1",
        headers='{"x-github-event": "push"}',
        body=body,
        verdict=json.dumps(
            {
                "verified": True,
                "secret": project,
                "matches": [{"project": project, "action": "build", "reason": "moved"}],
            }
        ),
    )
    with of.transaction() as connection:
        made = deliveries.add(connection, row)
        if build:
            request = records.Request(project, "refs/heads/main", records.Cause.PUSH)
            builds.enqueue(connection, request, delivery=made)
    return made


def ids(found):
    return [one.id for one in found]


def test_recent_is_newest_first_by_page_and_project(of, stored):
    for number in range(6):
        add(of, number, project=("shop", "blog")[number % 2])

    assert ids(stored.recent()) == [6, 5, 4, 3, 2, 1]
    assert ids(stored.recent(limit=2)) == [6, 5]
    assert ids(stored.recent(limit=2, before=5)) == [4, 3]
    assert ids(stored.recent("blog")) == [6, 4, 2]
    assert ids(stored.recent("shop", limit=1, before=5)) == [3]
    assert stored.recent("nobody") == []


def test_delivery_is_shown_with_its_builds_and_replays(of, stored):
    number = add(of, 1, body=b"abc", build=True)
    request = records.Request("shop", "refs/heads/main", records.Cause.REPLAY)
    queued = stored.replay(number, [request], "token ci")

    found = stored.get(number)

    assert (found.size, found.verified, found.secret) == (3, True, "shop")
    assert ids(found.builds) == [1, queued[0].id]
    assert [replay.actor for replay in found.replays] == ["token ci"]
    assert stored.body(number) == b"abc"


def test_delivery_that_is_not_there(stored):
    for call in (stored.get, stored.body, lambda n: stored.replay(n, [], "x")):
        with pytest.raises(errors.StoreError, match="build-hook deliveries"):
            call(7)


def test_old_ones_are_forgotten_with_their_replays(of, stored):
    for number, age in enumerate((40, 31, 29, 1)):
        add(of, number, received=NOW - age * 86_400)
    stored.replay(1, [], "x")

    assert stored.forget_old(before=NOW - 30 * 86_400, most_bytes=10**9) == 2
    assert ids(stored.recent()) == [4, 3]
    assert of.rows("SELECT * FROM replays") == []


def test_oldest_of_too_many_bytes_are_forgotten(of, stored):
    for number in range(5):
        add(of, number, body=b"x" * 1000)

    assert stored.forget_old(before=0, most_bytes=2500) == 3
    assert ids(stored.recent()) == [5, 4]


def test_newest_stays_whatever_the_bounds_so_that_numbers_rise(of, stored):
    add(of, 1)
    add(of, 2)
    stored.forget_old(before=NOW + 1, most_bytes=0)

    assert ids(stored.recent()) == [2]
    assert add(of, 3) == 3


def test_delivery_of_a_build_that_has_not_ended_stays(of, stored, path):
    for number in range(2):
        add(of, number, project=f"p{number}", build=True)
    add(of, 3)
    history = builds.Builds(path)
    history.enter(1, builds.Phase.FAILED)

    assert stored.forget_old(before=NOW + 1, most_bytes=10**9) == 1
    assert ids(stored.recent()) == [3, 2]
    assert history.get(1).phase is builds.Phase.FAILED
    history.close()


def test_more_than_one_transaction_takes_are_all_forgotten(of, stored):
    for number in range(archive.AT_ONCE * 2 + 3):
        add(of, number)

    assert stored.forget_old(before=NOW + 1, most_bytes=0) == archive.AT_ONCE * 2 + 2


@pytest.mark.parametrize(
    ("knobs", "left"),
    [({}, [3, 2, 1]), ({"DAYS": "5"}, [3, 2]), ({"MB": "0.0015"}, [3])],
)
def test_settings_bound_what_is_kept(tmp_path, knobs, left):
    environ = {f"BUILD_HOOK_KEEP_DELIVERIES_{name}": value for name, value in knobs.items()}
    options = settings.load(tmp_path / "state", environ)
    of = session.Session(options.database)
    now = time.time()
    for age in (10, 2, 0):
        add(of, age, received=now - age * 86_400, body=b"x" * 1000)

    housekeeping.forget(options, now)

    assert ids(archive.Archive(of).recent()) == left
    of.close()
