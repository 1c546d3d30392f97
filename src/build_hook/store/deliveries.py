"""Deliveries as they came: raw body, headers, and what was made of them."""

import dataclasses
import sqlite3


@dataclasses.dataclass(frozen=True, slots=True)
class Delivery:
    """One row; ``headers`` and ``verdict`` are JSON, ``received`` is in Unix seconds."""

    received: float
    provider: str
    delivery_id: str | None
    event: str
    remote: str | None
    headers: str
    body: bytes
    verdict: str


@dataclasses.dataclass(frozen=True, slots=True)
class Queued:
    """A build that a delivery asked for."""

    id: int
    project: str
    commit: str | None


def add(connection: sqlite3.Connection, delivery: Delivery) -> int | None:
    """Store a delivery inside the caller's transaction; None if it is there already."""
    row = connection.execute(
        "INSERT INTO deliveries"
        " (received, provider, delivery_id, event, remote, headers, body, verdict)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id",
        (
            delivery.received,
            delivery.provider,
            delivery.delivery_id,
            delivery.event,
            delivery.remote,
            delivery.headers,
            delivery.body,
            delivery.verdict,
        ),
    ).fetchone()
    return int(row["id"]) if row else None


def find(connection: sqlite3.Connection, provider: str, delivery_id: str | None) -> int:
    """The row of a delivery that came before."""
    row = connection.execute(
        "SELECT id FROM deliveries WHERE provider = ? AND delivery_id = ?", (provider, delivery_id)
    ).fetchone()
    return int(row["id"])


def builds(connection: sqlite3.Connection, delivery: int) -> tuple[Queued, ...]:
    """The builds that a delivery asked for, oldest first."""
    rows = connection.execute(
        "SELECT id, project, commit_id FROM builds WHERE delivery = ? ORDER BY id", (delivery,)
    ).fetchall()
    return tuple(Queued(row["id"], row["project"], row["commit_id"]) for row in rows)
