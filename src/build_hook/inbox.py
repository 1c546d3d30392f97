"""The inbox: deliveries are on disk before they are answered, many with one fsync.

One thread owns the connection. While it waits for the disk, deliveries gather; it takes all of
them into the next transaction, so the price of an fsync is shared by those that came together.
"""

import asyncio
import collections
import contextlib
import dataclasses
import pathlib
import sqlite3
import threading
from collections.abc import Callable, Generator

from build_hook import errors, web_log
from build_hook.store import builds, database, deliveries

# Seconds to wait for another process's transaction; git hosts wait for ten in all.
PATIENCE = 4
MOST_WAITING = 1024
MOST_TOGETHER = 256


class UnavailableError(errors.BuildHookError):
    """The delivery could not be stored, and should be sent again later."""


class BadDeliveryError(errors.BuildHookError):
    """The delivery cannot be stored, now or later."""


@dataclasses.dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a delivery; ``again`` if it was there already.

    ``delivery`` is its row, None if it was not worth keeping.
    """

    delivery: int | None
    builds: tuple[deliveries.Queued, ...] = ()
    again: bool = False


_Outcome = Receipt | errors.BuildHookError | None


@dataclasses.dataclass(slots=True)
class _Item:
    delivery: deliveries.Delivery | None
    requests: tuple[builds.Request, ...]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Receipt | None]
    outcome: "_Outcome" = None

    def settle(self) -> None:
        if self.future.done():
            return
        if isinstance(self.outcome, errors.BuildHookError):
            self.future.set_exception(self.outcome)
        else:
            self.future.set_result(self.outcome)


class Inbox:
    """Stores deliveries and queues their builds; used from one event loop."""

    def __init__(
        self,
        path: pathlib.Path,
        on_builds: Callable[[], None],
        *,
        most_waiting: int = MOST_WAITING,
        patience: float = PATIENCE,
    ) -> None:
        self.transactions = 0
        self._path = path
        self._on_builds = on_builds
        self._most_waiting = most_waiting
        self._patience = patience
        self._connection: sqlite3.Connection | None = None
        self._waiting: collections.deque[_Item] = collections.deque()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="inbox", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def close(self) -> None:
        """Write what waits, and let go of the file."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    async def put(
        self, delivery: deliveries.Delivery, requests: tuple[builds.Request, ...]
    ) -> Receipt:
        """Store a delivery and queue its builds; returns when both are on disk.

        Raises:
            UnavailableError: if the database is full, locked or damaged, or too many wait.
            BadDeliveryError: if this delivery cannot be stored.
        """
        receipt = await self._submit(delivery, requests)
        assert receipt is not None  # noqa: S101 - only a probe has none
        return receipt

    async def probe(self) -> None:
        """Write to the database without changing anything.

        Raises:
            UnavailableError: if a delivery could not be stored now.
        """
        await self._submit(None, ())

    async def _submit(
        self, delivery: deliveries.Delivery | None, requests: tuple[builds.Request, ...]
    ) -> Receipt | None:
        if len(self._waiting) >= self._most_waiting or self._closing:
            raise UnavailableError("Too many deliveries wait for the disk", "Send it again later")
        loop = asyncio.get_running_loop()
        item = _Item(delivery, requests, loop, loop.create_future())
        with self._changed:
            self._waiting.append(item)
            self._changed.notify()
        return await item.future

    def _run(self) -> None:
        while batch := self._take():
            try:
                self._write(batch)
            except (sqlite3.Error, errors.StoreError) as error:
                self._fail(batch, error)
            self._settle(batch)
        if self._connection is not None:
            self._connection.close()

    def _take(self) -> list[_Item]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            count = min(len(self._waiting), MOST_TOGETHER)
            return [self._waiting.popleft() for _ in range(count)]

    def _write(self, batch: list[_Item]) -> None:
        connection = self._connect()
        with _transaction(connection):
            for item in batch:
                self._store(connection, item)
        self.transactions += 1

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = database.connect(self._path)
            self._connection.execute(f"PRAGMA busy_timeout = {int(self._patience * 1000)}")
        return self._connection

    def _store(self, connection: sqlite3.Connection, item: _Item) -> None:
        if item.delivery is None:
            _touch(connection)
            return
        connection.execute("SAVEPOINT delivery")
        try:
            item.outcome = _accept(connection, item.delivery, item.requests)
        except (sqlite3.OperationalError, sqlite3.InternalError):
            raise  # the disk or the file: nothing of this batch can stand
        except (sqlite3.Error, ValueError, OverflowError) as error:
            connection.execute("ROLLBACK TO delivery")
            item.outcome = BadDeliveryError(
                f"The delivery cannot be stored: {error}", "Report it with the delivery's body"
            )
        connection.execute("RELEASE delivery")

    def _fail(self, batch: list[_Item], error: Exception) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        web_log.write("inbox", error=str(error), deliveries=len(batch))
        what = str(error) if isinstance(error, sqlite3.Error) else "the database is damaged"
        for item in batch:
            item.outcome = UnavailableError(
                f"Nothing can be stored now: {what}",
                "Send it again later; on the server: build-hook doctor",
            )

    def _settle(self, batch: list[_Item]) -> None:
        if any(isinstance(item.outcome, Receipt) and item.requests for item in batch):
            self._on_builds()
        with contextlib.suppress(RuntimeError):  # the loop is gone, and its clients with it
            batch[0].loop.call_soon_threadsafe(_settle_all, batch)


def _accept(
    connection: sqlite3.Connection,
    delivery: deliveries.Delivery,
    requests: tuple[builds.Request, ...],
) -> Receipt:
    row = deliveries.add(connection, delivery)
    if row is None:
        first = deliveries.find(connection, delivery.provider, delivery.delivery_id)
        return Receipt(first, deliveries.builds(connection, first), again=True)
    queued = [
        deliveries.Queued(
            builds.enqueue(connection, request, delivery=row), request.project, request.commit
        )
        for request in requests
    ]
    return Receipt(row, tuple(queued))


def _settle_all(batch: list[_Item]) -> None:
    for item in batch:
        item.settle()


def _touch(connection: sqlite3.Connection) -> None:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    connection.execute(f"PRAGMA user_version = {version}")


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Generator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
