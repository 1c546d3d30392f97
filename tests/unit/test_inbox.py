import asyncio
import fcntl
from typing import Any

import pytest

from build_hook.store import builds, database, deliveries
from build_hook.web import inbox


def _delivery(number: int | None = 1, **fields):
    values = {
        "received": 1.5,
        "provider": "github",
        "delivery_id": None if number is None else f"id-{number}",
        "event": "push",
        "remote": "192.0.2.1",
        "headers": "{}",
        "body": b"{}",
        "verdict": "{}",
    }
    return deliveries.Delivery(**{**values, **fields})


def _request(project: Any = "shop", commit="c" * 40):
    return builds.Request(project, "refs/heads/main", builds.Cause.PUSH, commit=commit)


@pytest.fixture
def nudges():
    return []


@pytest.fixture
def box(tmp_path, nudges):
    return inbox.Inbox(tmp_path / "db", lambda: nudges.append("queue"), patience=0.2)


def _run(box, *steps):
    """Take steps one after the other while the inbox runs; the last result."""

    async def live():
        box.start()
        try:
            results = [await step() for step in steps]
        finally:
            await box.close()
        return results[-1]

    return asyncio.run(live())


def _put(box, delivery, *requests):
    return lambda: box.put(delivery, requests)


def _rows(tmp_path, sql):
    connection = database.connect(tmp_path / "db")
    try:
        return [tuple(row) for row in connection.execute(sql)]
    finally:
        connection.close()


def test_delivery_and_its_builds_are_stored_together(tmp_path, box, nudges):
    receipt = _run(box, _put(box, _delivery(), _request("shop"), _request("blog")))

    assert [queued.project for queued in receipt.builds] == ["shop", "blog"]
    assert not receipt.again
    assert nudges == ["queue"]
    assert _rows(tmp_path, "SELECT id, delivery, project, phase FROM builds ORDER BY id") == [
        (1, receipt.delivery, "shop", "queued"),
        (2, receipt.delivery, "blog", "queued"),
    ]


@pytest.mark.parametrize("is_open", [True, False])
def test_waits_for_its_turn_at_the_file(tmp_path, box, is_open):
    with (tmp_path / "db.turn").open("w") as turn:

        async def first_refused_then_let_in():
            fcntl.flock(turn, fcntl.LOCK_EX)
            waiting = asyncio.ensure_future(box.put(_delivery(), ()))
            done, _ = await asyncio.wait([waiting], timeout=0.3)
            fcntl.flock(turn, fcntl.LOCK_UN)
            return done, await waiting

        before = (box.probe,) if is_open else ()
        done, receipt = _run(box, *before, first_refused_then_let_in)

        assert (done, receipt.again) == (set(), False)
        fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)  # others may have theirs


def test_delivery_without_builds_wakes_nobody(box, nudges):
    assert _run(box, _put(box, _delivery())).builds == ()
    assert nudges == []


def test_second_delivery_of_one_id_gets_the_builds_of_the_first(tmp_path, box, nudges):
    first = []

    async def keep():
        first.append(await box.put(_delivery(7), (_request(),)))

    second = _run(box, keep, _put(box, _delivery(7), _request()))

    assert second.again
    assert (second.delivery, second.builds) == (first[0].delivery, first[0].builds)
    assert _rows(tmp_path, "SELECT count(*) FROM builds") == [(1,)]


@pytest.mark.parametrize(
    "two",
    [
        (_delivery(None), _delivery(None)),
        (_delivery(1, provider="github"), _delivery(1, provider="gitea")),
    ],
)
def test_what_has_no_common_id_is_stored_twice(tmp_path, box, two):
    _run(box, *(_put(box, delivery) for delivery in two))

    assert _rows(tmp_path, "SELECT count(*) FROM deliveries") == [(2,)]


def test_large_delivery_is_stored_whole(tmp_path, box):
    body = b"x" * (inbox.LARGE + 1)
    _run(box, _put(box, _delivery(body=body)))

    assert _rows(tmp_path, "SELECT body FROM deliveries") == [(body,)]


def test_deliveries_that_wait_share_a_transaction(tmp_path, box):
    async def many():
        await asyncio.gather(*(box.put(_delivery(n), (_request(),)) for n in range(500)))

    _run(box, many)

    assert _rows(tmp_path, "SELECT count(*) FROM deliveries") == [(500,)]
    assert 2 <= box.transactions < 50


def test_one_bad_row_does_not_spoil_its_batch(tmp_path, box):
    async def three():
        return await asyncio.gather(
            box.put(_delivery(1), (_request("one"),)),
            # A build without a project breaks NOT NULL after the delivery itself was added.
            box.put(_delivery(2), (_request(None),)),
            box.put(_delivery(3), (_request("three"),)),
            return_exceptions=True,
        )

    first, second, third = _run(box, three)

    assert box.transactions == 1
    assert isinstance(second, inbox.BadDeliveryError)
    assert [first.builds[0].project, third.builds[0].project] == ["one", "three"]
    assert _rows(tmp_path, "SELECT delivery_id FROM deliveries") == [("id-1",), ("id-3",)]
    assert _rows(tmp_path, "SELECT project FROM builds") == [("one",), ("three",)]


def test_locked_database_is_unavailable_after_patience_and_recovers(tmp_path, box):
    blocker = database.connect(tmp_path / "db")

    async def locked():
        blocker.execute("BEGIN IMMEDIATE")
        with pytest.raises(inbox.UnavailableError, match="locked"):
            await box.put(_delivery(), ())
        with pytest.raises(inbox.UnavailableError, match="locked"):
            await box.probe()
        blocker.execute("ROLLBACK")

    assert _run(box, box.probe, locked, _put(box, _delivery())).delivery == 1
    blocker.close()


@pytest.mark.parametrize("is_open", [True, False])
def test_lock_shorter_than_patience_is_waited_for_while_others_are_served(tmp_path, is_open):
    box = inbox.Inbox(tmp_path / "db", lambda: None, patience=5)
    blocker = database.connect(tmp_path / "db")

    async def locked():
        blocker.execute("BEGIN IMMEDIATE")
        asyncio.get_running_loop().call_later(0.1, blocker.execute, "ROLLBACK")
        return await box.put(_delivery(), ())

    before = (box.probe,) if is_open else ()
    assert _run(box, *before, locked).delivery == 1
    blocker.close()


def test_full_database_is_unavailable_and_recovers(box):
    large = _delivery(body=b"x" * 100_000)

    async def full():
        box._writer.connection.execute("PRAGMA max_page_count = 1")
        with pytest.raises(inbox.UnavailableError, match="full"):
            await box.put(large, ())

    assert _run(box, box.probe, full, _put(box, large)).delivery == 1


def test_damaged_database_is_unavailable_without_its_path(tmp_path, box, capsys):
    (tmp_path / "db").write_bytes(b"this is no database" * 100)

    with pytest.raises(inbox.UnavailableError, match="damaged") as refused:
        _run(box, _put(box, _delivery()))

    assert str(tmp_path) not in str(refused.value)
    assert "event=inbox" in capsys.readouterr().err


def test_too_many_waiting_are_refused(tmp_path):
    box = inbox.Inbox(tmp_path / "db", lambda: None, most_waiting=2)

    async def three():
        return await asyncio.gather(
            *(box.put(_delivery(number), ()) for number in range(3)), return_exceptions=True
        )

    first, second, third = _run(box, three)

    assert [first.delivery, second.delivery] == [1, 2]
    assert isinstance(third, inbox.UnavailableError)
    assert "Too many" in third.message


def test_close_writes_what_waits_and_refuses_more(tmp_path, box):
    async def close():
        box.start()
        waiting = asyncio.ensure_future(box.put(_delivery(), ()))
        await asyncio.sleep(0)
        await box.close()
        with pytest.raises(inbox.UnavailableError):
            await box.put(_delivery(2), ())
        return await waiting

    assert asyncio.run(close()).delivery == 1
    assert _rows(tmp_path, "SELECT count(*) FROM deliveries") == [(1,)]


def test_every_commit_is_synced(box):
    async def synchronous():
        return box._writer.connection.execute("PRAGMA synchronous").fetchone()[0]

    assert _run(box, box.probe, synchronous) == 2


def test_client_that_left_does_not_stop_the_others(box):
    async def leave():
        gone = asyncio.ensure_future(box.put(_delivery(1), ()))
        await asyncio.sleep(0)
        gone.cancel()
        return await box.put(_delivery(2), ())

    assert _run(box, leave).delivery == 2
