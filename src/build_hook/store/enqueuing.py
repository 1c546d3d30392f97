"""Asking for a build: the newest of a project takes the place of those that wait."""

import sqlite3
import time

from build_hook.store import session
from build_hook.store.records import Cause, Phase, Request


def enqueue(
    connection: sqlite3.Connection, request: Request, *, delivery: int | None = None
) -> int:
    """Add a build inside the caller's transaction; older queued ones end superseded."""
    now = time.time()
    row = connection.execute(
        "INSERT INTO builds (project, ref, commit_id, message, cause, delivery, source, fresh,"
        " force, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (
            request.project,
            request.ref,
            request.commit,
            request.message,
            request.cause,
            delivery,
            request.source,
            request.fresh,
            request.force,
            now,
        ),
    ).fetchone()
    build = int(row["id"])
    connection.execute("INSERT INTO phases VALUES (?, ?, ?)", (build, Phase.QUEUED, now))
    _supersede(connection, request.project, build, now)
    return build


def was_overtaken(store: session.Session, project: str, ref: str, commit: str) -> bool:
    """Whether a push of that commit to that ref waited for its turn and had to give way."""
    sql = (
        "SELECT 1 FROM builds WHERE project = ? AND ref = ? AND commit_id = ? AND cause = ?"
        " AND phase = ? LIMIT 1"
    )
    return bool(store.rows(sql, (project, ref, commit, Cause.PUSH, Phase.SUPERSEDED)))


def _supersede(connection: sqlite3.Connection, project: str, by: int, now: float) -> None:
    """End the queued builds before one; what they were to do in spite of a hold, it does."""
    overtaken = connection.execute(
        "UPDATE builds SET phase = ?, finished = ?, reason = ?"
        " WHERE project = ? AND phase = ? AND finished IS NULL AND id < ?"
        " RETURNING id, fresh, force",
        (Phase.SUPERSEDED, now, f"by build {by}", project, Phase.QUEUED, by),
    ).fetchall()
    for row in overtaken:
        connection.execute(
            "INSERT INTO phases VALUES (?, ?, ?)", (row["id"], Phase.SUPERSEDED, now)
        )
        if row["fresh"] or row["force"]:
            connection.execute(
                "UPDATE builds SET fresh = fresh OR ?, force = force OR ? WHERE id = ?",
                (row["fresh"], row["force"], by),
            )
