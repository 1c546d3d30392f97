"""Pauses: projects, or all of them, whose pushes wait."""

import dataclasses
import sqlite3
import time
from collections.abc import Iterable

from build_hook.store import session

# The row that stands for all projects; no project has this name.
ALL = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Pause:
    """Since when, in Unix seconds, and why."""

    since: float
    reason: str | None


def begin(of: session.Session, project: str | None, reason: str | None) -> Pause:
    """Pause a project, or all; a pause that is there keeps its time and gets the new reason."""
    with of.transaction() as connection:
        connection.execute(
            "INSERT INTO pauses VALUES (?, ?, ?)"
            " ON CONFLICT (project) DO UPDATE SET reason = coalesce(excluded.reason, reason)",
            (project or ALL, time.time(), reason),
        )
    return read(of)[project or ALL]


def end(of: session.Session, project: str | None) -> bool:
    """End a pause; False if there was none."""
    with of.transaction() as connection:
        done = connection.execute("DELETE FROM pauses WHERE project = ?", (project or ALL,))
    return bool(done.rowcount)


def read(of: session.Session) -> dict[str, Pause]:
    """All pauses, by project."""
    return _by_project(of.rows(_SELECT))


def read_within(connection: sqlite3.Connection) -> dict[str, Pause]:
    """All pauses, inside the caller's transaction."""
    return _by_project(connection.execute(_SELECT))


_SELECT = "SELECT project, since, reason FROM pauses"


def _by_project(rows: Iterable[sqlite3.Row]) -> dict[str, Pause]:
    return {row["project"]: Pause(row["since"], row["reason"]) for row in rows}
