"""The deliveries that are kept: looking at them, replaying them, forgetting them."""

import dataclasses
import json
import sqlite3
import time
from collections.abc import Iterable
from typing import Any

from build_hook import errors
from build_hook.store import builds, deliveries, records, session

# Deleting holds the lock that new deliveries wait for: a few at a time.
AT_ONCE = 50
_SHOWN = (
    "id, received, provider, delivery_id, event, remote, length(body) AS size, headers, verdict"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Replay:
    """That somebody had a delivery judged again."""

    at: float
    actor: str


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """A delivery without its body; ``verified`` and ``matches`` are as of when it came."""

    id: int
    received: float
    provider: str
    event: str
    delivery_id: str | None
    remote: str | None
    size: int
    headers: dict[str, str]
    verified: bool | None
    secret: str | None
    matches: tuple[dict[str, Any], ...]
    builds: tuple[deliveries.Queued, ...]
    replays: tuple[Replay, ...]


class Archive:
    """The deliveries of one database."""

    def __init__(self, of: session.Session) -> None:
        self._session = of

    def recent(
        self, project: str | None = None, limit: int = 20, before: int | None = None
    ) -> list[Kept]:
        """The newest deliveries, newest first; of one project those that were about it."""
        rows = self._session.rows(
            f"SELECT {_SHOWN} FROM deliveries WHERE (?1 IS NULL OR id < ?1) AND"  # noqa: S608
            " (?2 IS NULL OR EXISTS (SELECT 1 FROM json_each(verdict, '$.matches')"
            " WHERE json_extract(value, '$.project') = ?2)) ORDER BY id DESC LIMIT ?3",
            (before, project, limit),
        )
        return [self._kept(row) for row in rows]

    def get(self, delivery: int) -> Kept:
        """One delivery.

        Raises:
            StoreError: if there is none of that number.
        """
        return self._kept(self._row(_SHOWN, delivery))

    def body(self, delivery: int) -> bytes:
        """Its body, byte for byte.

        Raises:
            StoreError: if there is none of that number.
        """
        return bytes(self._row("body", delivery)["body"])

    def replay(
        self, delivery: int, requests: Iterable[records.Request], actor: str
    ) -> list[deliveries.Queued]:
        """Queue what a delivery asks for once more, and record who wanted it.

        Raises:
            StoreError: if there is none of that number.
        """
        self._row("id", delivery)
        with self._session.transaction() as connection:
            connection.execute(
                "INSERT INTO replays VALUES (?, ?, ?)", (delivery, time.time(), actor)
            )
            return [
                deliveries.Queued(
                    builds.enqueue(connection, request, delivery=delivery),
                    request.project,
                    request.commit,
                )
                for request in requests
            ]

    def forget_old(self, *, before: float, most_bytes: int) -> int:
        """Forget deliveries that came before a time, and the oldest of too many bytes.

        Never one whose build has not ended, and never the newest, so that numbers only rise.
        Returns how many were forgotten.
        """
        old = self._session.rows(
            "SELECT id FROM (SELECT id, received, sum(length(body) + length(headers))"
            " OVER (ORDER BY id DESC) AS total FROM deliveries)"
            " WHERE (received < ? OR total > ?) AND id < (SELECT max(id) FROM deliveries)",
            (before, most_bytes),
        )
        numbers = [int(row["id"]) for row in old]
        return sum(
            self._forget(numbers[start : start + AT_ONCE])
            for start in range(0, len(numbers), AT_ONCE)
        )

    def _forget(self, numbers: list[int]) -> int:
        with self._session.transaction() as connection:
            return connection.execute(
                "DELETE FROM deliveries WHERE id IN (SELECT value FROM json_each(?))"
                " AND NOT EXISTS (SELECT 1 FROM builds WHERE delivery = deliveries.id"
                " AND finished IS NULL)",
                (json.dumps(numbers),),
            ).rowcount

    def _row(self, columns: str, delivery: int) -> sqlite3.Row:
        found = self._session.rows(
            f"SELECT {columns} FROM deliveries WHERE id = ?",  # noqa: S608 - literals of this file
            (delivery,),
        )
        if not found:
            raise errors.StoreError(
                f"There is no delivery {delivery}", "List them: build-hook deliveries"
            )
        return found[0]

    def _kept(self, row: sqlite3.Row) -> Kept:
        verdict: dict[str, Any] = json.loads(row["verdict"])
        queued = self._session.rows(
            "SELECT id, project, commit_id FROM builds WHERE delivery = ? ORDER BY id",
            (row["id"],),
        )
        replays = self._session.rows(
            "SELECT at, actor FROM replays WHERE delivery = ? ORDER BY at", (row["id"],)
        )
        return Kept(
            id=row["id"],
            received=row["received"],
            provider=row["provider"],
            event=row["event"],
            delivery_id=row["delivery_id"],
            remote=row["remote"],
            size=row["size"],
            headers=json.loads(row["headers"]),
            verified=verdict["verified"],
            secret=verdict["secret"],
            matches=tuple(verdict["matches"]),
            builds=tuple(deliveries.Queued(b["id"], b["project"], b["commit_id"]) for b in queued),
            replays=tuple(Replay(r["at"], r["actor"]) for r in replays),
        )
