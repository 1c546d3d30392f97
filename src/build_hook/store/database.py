"""The database file: opening it, and bringing its tables up to date."""

import contextlib
import pathlib
import sqlite3
import time
from collections.abc import Generator, Iterator

from build_hook import errors
from build_hook.store import tables

# Seconds to wait for another process that has the file.
PATIENCE = 30.0


def connect(path: pathlib.Path) -> sqlite3.Connection:
    """Open the database, make or migrate its tables.

    The connection is in autocommit mode: transactions are opened in so many words. It may be
    used from several threads by those who lock.

    Raises:
        StoreError: if the file is damaged or comes from a newer version.
    """
    is_new = not path.exists()  # whoever made one beforehand decides who may write it
    try:
        connection = sqlite3.connect(
            path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        _use_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        _migrate(connection, path)
    except sqlite3.DatabaseError as error:
        raise errors.StoreError(
            f"The database {path} cannot be used: {error}",
            "Restore it from a backup, or move it away: builds start from an empty history, "
            "containers that run are kept",
        ) from error
    if is_new:
        path.chmod(0o640)
    return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """Turn the write-ahead log on; SQLite itself does not wait for another who does the same."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def number(path: pathlib.Path) -> int | None:
    """What tells a database file from the one that took its place."""
    try:
        return path.stat().st_ino
    except OSError:
        return None


@contextlib.contextmanager
def speaking() -> Generator[None]:
    """Turn SQLite's errors into ours; theirs is the cause of ours."""
    try:
        yield
    except sqlite3.Error as error:
        if _is_damage(error):
            raise errors.DamagedStoreError(
                f"The database is damaged: {error}",
                "The worker puts it aside when it starts, and keeps what can be read",
            ) from error
        raise errors.StoreError(
            f"The database cannot be used: {error}", "Make room if its disk is full"
        ) from error


def _is_damage(error: sqlite3.Error) -> bool:
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _statements(script: str) -> Iterator[str]:
    """The statements of a script; those between a trigger's BEGIN and END are part of it."""
    statement = ""
    for part in f"{script};".split(";")[:-1]:
        statement += f"{part};"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _migrate(connection: sqlite3.Connection, path: pathlib.Path) -> None:
    if _version(connection) == len(tables.MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)  # another process may have been first
        if version > len(tables.MIGRATIONS):
            raise errors.StoreError(
                f"The database {path} was written by a newer version", "Upgrade build-hook"
            )
        for script in tables.MIGRATIONS[version:]:
            for statement in _statements(script):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(tables.MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
