"""A damaged database is put aside, and a new one made of what can still be read of it.

Whoever has the old one open notices that the file is another one, and opens it again: see
``Session`` and ``Writer``.
"""

import contextlib
import fcntl
import logging
import os
import pathlib
import shutil
import sqlite3
import time
from collections.abc import Generator, Iterator

from build_hook.store import database

_log = logging.getLogger(__name__)
# Numbers of builds that may have been given since the rows that were saved.
_LEAP = 100
_BESIDE = ("-wal", "-shm")


def ensure_sound(path: pathlib.Path) -> pathlib.Path | None:
    """Make sure that the database can be used; where the damaged one is now, if it was.

    Raises:
        StoreError: if it was written by a newer version.
    """
    if not path.exists() or is_sound(path):
        return None
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    kept = path.with_name(f"{path.name}.damaged-{stamp}")
    fresh = path.with_name(f"{path.stem}.new")
    with _turn(path):
        for left in (fresh, *(pathlib.Path(f"{fresh}{end}") for end in _BESIDE)):
            left.unlink(missing_ok=True)
        saved = salvage(path, fresh)
        shutil.copymode(path, fresh)
        os.chown(fresh, path.stat().st_uid, path.stat().st_gid)
        os.link(path, kept)
        for end in _BESIDE:  # a log of the old file must never be taken for the new one's
            with contextlib.suppress(FileNotFoundError):
                os.rename(f"{path}{end}", f"{kept}{end}")
        os.replace(fresh, path)
    _log.error("the database was damaged: it is kept as %s, %d rows were saved", kept, saved)
    return kept


def is_sound(path: pathlib.Path) -> bool:
    """Whether SQLite finds nothing wrong with a file."""
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection:
            return connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
    except sqlite3.OperationalError as error:
        return "malformed" not in str(error)  # locked or full is not damaged
    except sqlite3.DatabaseError:
        return False


def salvage(damaged: pathlib.Path, fresh: pathlib.Path) -> int:
    """Copy all rows that can be read into a new database; returns how many."""
    count = 0
    with (
        contextlib.closing(database.connect(fresh)) as new,
        contextlib.closing(sqlite3.connect(damaged, timeout=30)) as old,
    ):
        new.execute("PRAGMA foreign_keys = OFF")
        with _without_triggers(new):
            for table in _tables(new):
                count += _copy(old, new, table)
        _drop_orphans(new)
        new.execute("UPDATE sqlite_sequence SET seq = seq + ?", (_LEAP,))
    return count


@contextlib.contextmanager
def _turn(path: pathlib.Path) -> Generator[None]:
    """Nobody else writes meanwhile, see ``Writer``."""
    with path.with_suffix(".turn").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield


def _tables(new: sqlite3.Connection) -> list[str]:
    rows = new.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    )
    return [row["name"] for row in rows.fetchall()]


@contextlib.contextmanager
def _without_triggers(new: sqlite3.Connection) -> Generator[None]:
    """What triggers would do to the copied rows was done when they were written first."""
    triggers = new.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for trigger in triggers:
        new.execute(f'DROP TRIGGER "{trigger["name"]}"')
    yield
    for trigger in triggers:
        new.execute(trigger["sql"])


def _copy(old: sqlite3.Connection, new: sqlite3.Connection, table: str) -> int:
    """Copy a table from both ends, up to the damage."""
    columns = [row["name"] for row in new.execute(f'PRAGMA table_info("{table}")').fetchall()]
    copied = 0
    new.execute("BEGIN")
    new.execute(f'DELETE FROM "{table}"')  # noqa: S608 - a name of our own schema
    for order in ("ASC", "DESC"):
        complete = False
        for row in _readable(old, table, columns, order):
            if row is None:
                complete = True
                break
            names, marks = ", ".join(row), ", ".join("?" for _ in row)
            with contextlib.suppress(sqlite3.IntegrityError):
                new.execute(
                    f'INSERT OR IGNORE INTO "{table}" ({names}) VALUES ({marks})',  # noqa: S608
                    tuple(row.values()),
                )
                copied += 1
        if complete:
            break
    new.execute("COMMIT")
    return copied


def _readable(
    old: sqlite3.Connection, table: str, columns: list[str], order: str
) -> Iterator[dict[str, object] | None]:
    """Rows until the damage; None at the end of a table that has none."""
    old.row_factory = sqlite3.Row
    with contextlib.suppress(sqlite3.DatabaseError):
        rows = old.execute(f'SELECT * FROM "{table}" ORDER BY rowid {order}')  # noqa: S608
        for row in rows:
            yield {name: row[name] for name in columns if name in row.keys()}  # noqa: SIM118
        yield None


def _drop_orphans(new: sqlite3.Connection) -> None:
    """Rows that refer to others that are lost: a build does without, the rest goes."""
    for table, row, *_ in new.execute("PRAGMA foreign_key_check").fetchall():
        if table == "builds":
            new.execute("UPDATE builds SET delivery = NULL, source = NULL WHERE id = ?", (row,))
        else:
            new.execute(f'DELETE FROM "{table}" WHERE rowid = ?', (row,))  # noqa: S608
