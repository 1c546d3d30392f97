import asyncio
import sqlite3
import threading

import pytest

from build_hook import inbox
from build_hook.store import builds, database, deliveries


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


def _request(project="shop", commit="c" * 40):
    return builds.Request(project, "refs/heads/main", builds.Cause.PUSH, commit=commit)


@pytest.fixture
def nudges():
    return []


@pytest.fixture
def box(tmp_path, nudges):
    box = inbox.Inbox(tmp_path / "db", lambda: nudges.append("queue"), patience=0.2)
    box.start()
    yield box
    box.close()


def _rows(tmp_path, sql):
    connection = database.connect(tmp_path / "db")
    try:
        return [tuple(row) for row in connection.execute(sql)]
    finally:
        connection.close()


def test_delivery_and_its_builds_are_stored_together(tmp_path, box, nudges):
    receipt = asyncio.run(box.put(_delivery(), (_request("shop"), _request("blog"))))

    assert [queued.project for queued in receipt.builds] == ["shop", "blog"]
    assert not receipt.again
    assert nudges == ["queue"]
    assert _rows(tmp_path, "SELECT id, delivery, project, phase FROM builds ORDER BY id") == [
        (1, receipt.delivery, "shop", "queued"),
        (2, receipt.delivery, "blog", "queued"),
    ]


def test_delivery_without_builds_wakes_nobody(box, nudges):
    receipt = asyncio.run(box.put(_delivery(), ()))

    assert receipt.builds == ()
    assert nudges == []


def test_second_delivery_of_one_id_gets_the_builds_of_the_first(tmp_path, box):
    async def twice():
        first = await box.put(_delivery(7), (_request(),))
        return first, await box.put(_delivery(7), (_request(),))

    first, second = asyncio.run(twice())

    assert second.again
    assert (second.delivery, second.builds) == (first.delivery, first.builds)
    assert _rows(tmp_path, "SELECT count(*) FROM builds") == [(1,)]


def test_deliveries_without_an_id_are_all_stored(tmp_path, box):
    async def twice():
        await box.put(_delivery(None), ())
        await box.put(_delivery(None), ())

    asyncio.run(twice())

    assert _rows(tmp_path, "SELECT count(*) FROM deliveries") == [(2,)]


def test_same_id_of_two_hosts_are_two_deliveries(tmp_path, box):
    async def twice():
        await box.put(_delivery(1, provider="github"), ())
        await box.put(_delivery(1, provider="gitea"), ())

    asyncio.run(twice())

    assert _rows(tmp_path, "SELECT count(*) FROM deliveries") == [(2,)]


def test_deliveries_that_wait_share_a_transaction(tmp_path, box):
    async def many():
        await asyncio.gather(*(box.put(_delivery(n), (_request(),)) for n in range(200)))

    asyncio.run(many())

    assert _rows(tmp_path, "SELECT count(*) FROM deliveries") == [(200,)]
    assert 1 <= box.transactions < 50


def test_one_bad_row_does_not_spoil_its_batch(tmp_path, box):
    async def three():
        return await asyncio.gather(
            box.put(_delivery(1), (_request("one"),)),
            # A build without a project breaks NOT NULL after the delivery itself was added.
            box.put(_delivery(2), (_request(None),)),
            box.put(_delivery(3), (_request("three"),)),
            return_exceptions=True,
        )

    # The lock keeps the thread waiting until all three are there: one batch.
    blocker = database.connect(tmp_path / "db")
    blocker.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.1, blocker.execute, ("ROLLBACK",))
    release.start()
    first, second, third = asyncio.run(three())
    release.join()
    blocker.close()

    assert isinstance(second, inbox.BadDeliveryError)
    assert [first.builds[0].project, third.builds[0].project] == ["one", "three"]
    assert _rows(tmp_path, "SELECT delivery_id FROM deliveries") == [("id-1",), ("id-3",)]
    assert _rows(tmp_path, "SELECT project FROM builds") == [("one",), ("three",)]
    assert box.transactions <= 2


def test_locked_database_is_unavailable_after_patience_and_recovers(tmp_path, box):
    asyncio.run(box.probe())
    blocker = database.connect(tmp_path / "db")
    blocker.execute("BEGIN IMMEDIATE")

    with pytest.raises(inbox.UnavailableError, match="locked"):
        asyncio.run(box.put(_delivery(), ()))
    with pytest.raises(inbox.UnavailableError, match="locked"):
        asyncio.run(box.probe())
    blocker.execute("ROLLBACK")
    blocker.close()

    assert asyncio.run(box.put(_delivery(), ())).delivery == 1


def test_full_database_is_unavailable_and_recovers(tmp_path, box):
    asyncio.run(box.probe())
    box._connection.execute("PRAGMA max_page_count = 1")

    with pytest.raises(inbox.UnavailableError, match="full"):
        asyncio.run(box.put(_delivery(body=b"x" * 100_000), ()))

    assert asyncio.run(box.put(_delivery(body=b"x" * 100_000), ())).delivery == 1


def test_damaged_database_is_unavailable_without_its_path(tmp_path, capsys):
    (tmp_path / "db").write_bytes(b"this is no database" * 100)
    box = inbox.Inbox(tmp_path / "db", lambda: None)
    box.start()

    with pytest.raises(inbox.UnavailableError, match="damaged") as refused:
        asyncio.run(box.put(_delivery(), ()))
    box.close()

    assert str(tmp_path) not in str(refused.value)
    assert "event=inbox" in capsys.readouterr().err


def test_too_many_waiting_are_refused(tmp_path):
    box = inbox.Inbox(tmp_path / "db", lambda: None, most_waiting=2)

    async def three():
        waiting = [asyncio.ensure_future(box.put(_delivery(n), ())) for n in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(inbox.UnavailableError, match="Too many"):
            await box.put(_delivery(3), ())
        box.start()
        return await asyncio.gather(*waiting)

    receipts = asyncio.run(three())
    box.close()

    assert len(receipts) == 2


def test_close_writes_what_waits_and_refuses_more(tmp_path):
    box = inbox.Inbox(tmp_path / "db", lambda: None)

    async def close():
        waiting = asyncio.ensure_future(box.put(_delivery(), ()))
        await asyncio.sleep(0)
        box.start()
        await asyncio.to_thread(box.close)
        with pytest.raises(inbox.UnavailableError):
            await box.put(_delivery(2), ())
        return await waiting

    assert asyncio.run(close()).delivery == 1
    assert _rows(tmp_path, "SELECT count(*) FROM deliveries") == [(1,)]


def test_every_commit_is_synced(box):
    asyncio.run(box.probe())

    assert box._connection.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert isinstance(box._connection, sqlite3.Connection)


def test_client_that_left_does_not_stop_the_others(tmp_path, box):
    async def leave():
        gone = asyncio.ensure_future(box.put(_delivery(1), ()))
        await asyncio.sleep(0)
        gone.cancel()
        return await box.put(_delivery(2), ())

    assert asyncio.run(leave()).delivery == 2
