"""The inbox: deliveries are on disk before they are answered, many with one fsync.

While a thread waits for the disk, deliveries gather; all of them go into the next transaction,
so the price of an fsync is shared by those that came together.
"""

import asyncio
import collections
import concurrent.futures
import dataclasses
import pathlib
import sqlite3
from collections.abc import Callable, Mapping
from typing import TypeVar

from build_hook import errors
from build_hook.store import builds, deliveries, pauses, writer
from build_hook.web import web_log

# Seconds to wait for another process's transaction; git hosts wait for ten in all.
PATIENCE = 4
MOST_WAITING = 1024
MOST_TOGETHER = 256
# Bodies above this are copied outside the event loop.
LARGE = 1024 * 1024

_T = TypeVar("_T")


class UnavailableError(errors.BuildHookError):
    """The delivery could not be stored, and should be sent again later."""


class BadDeliveryError(errors.BuildHookError):
    """The delivery cannot be stored, now or later."""


@dataclasses.dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a delivery; ``again`` if it was there already.

    ``delivery`` is its row, None if it was not worth keeping; ``held`` the pauses of the moment.
    """

    delivery: int | None
    builds: tuple[deliveries.Queued, ...] = ()
    again: bool = False
    held: Mapping[str, pauses.Pause] = dataclasses.field(default_factory=dict[str, pauses.Pause])


_Outcome = Receipt | errors.BuildHookError | None


@dataclasses.dataclass(slots=True)
class _Item:
    delivery: deliveries.Delivery | None
    requests: tuple[builds.Request, ...]
    future: asyncio.Future[Receipt | None]
    outcome: "_Outcome" = None

    @property
    def is_large(self) -> bool:
        return self.delivery is not None and len(self.delivery.body) > LARGE

    def settle(self) -> None:
        if self.future.done():
            return
        if isinstance(self.outcome, errors.BuildHookError):
            self.future.set_exception(self.outcome)
        else:
            self.future.set_result(self.outcome)


class Inbox:
    """Stores deliveries and queues their builds; lives in one event loop."""

    def __init__(
        self,
        path: pathlib.Path,
        on_builds: Callable[[], None],
        *,
        most_waiting: int = MOST_WAITING,
        patience: float = PATIENCE,
    ) -> None:
        self.transactions = 0
        self._on_builds = on_builds
        self._most_waiting = most_waiting
        self._writer = writer.Writer(path, patience)
        self._waiting: collections.deque[_Item] = collections.deque()
        self._arrived = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._disk = concurrent.futures.ThreadPoolExecutor(1, "disk")

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Write what waits, and let go of the file."""
        self._closing = True
        self._arrived.set()
        if self._task is not None:
            await self._task
        self._writer.close()
        self._disk.shutdown()

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
        item = _Item(delivery, requests, asyncio.get_running_loop().create_future())
        self._waiting.append(item)
        self._arrived.set()
        return await item.future

    async def _run(self) -> None:
        while self._waiting or not self._closing:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                await self._write()

    async def _write(self) -> None:
        batch: list[_Item] = []
        try:
            await asyncio.sleep(0)  # those that came at the same time share a transaction
            connection = self._writer.begin_at_once() or await self._on_disk(self._writer.begin)
            batch = self._take()
            for item in batch:
                await self._store(connection, item)
            await self._on_disk(self._writer.commit)
            self.transactions += 1
        except (sqlite3.Error, errors.StoreError, OSError) as error:
            self._fail(batch := batch or self._take(), error)
        if any(isinstance(item.outcome, Receipt) and item.requests for item in batch):
            self._on_builds()
        for item in batch:
            item.settle()

    async def _on_disk(self, function: Callable[..., _T], *arguments: object) -> _T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._disk, function, *arguments)

    def _take(self) -> list[_Item]:
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_TOGETHER))]

    async def _store(self, connection: sqlite3.Connection, item: _Item) -> None:
        # Rows go into memory here, which is quicker than handing each to the thread and back.
        if item.is_large:
            await self._on_disk(_add, connection, item)
        else:
            _add(connection, item)

    def _fail(self, batch: list[_Item], error: Exception) -> None:
        self._writer.close()
        web_log.write("inbox", error=str(error), deliveries=len(batch))
        what = "the database is damaged" if isinstance(error, errors.StoreError) else str(error)
        if isinstance(error, OSError):
            what = error.strerror or type(error).__name__  # without the path
        for item in batch:
            item.outcome = UnavailableError(
                f"Nothing can be stored now: {what}",
                "Send it again later; on the server: build-hook doctor",
            )


def _add(connection: sqlite3.Connection, item: _Item) -> None:
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
    held = pauses.read_within(connection) if queued else {}
    return Receipt(row, tuple(queued), held=held)


def _touch(connection: sqlite3.Connection) -> None:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    connection.execute(f"PRAGMA user_version = {version}")
