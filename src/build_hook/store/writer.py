"""A connection that writes in turn with those of other processes.

SQLite alone would have them ask again and again, and sleep in between.
"""

import fcntl
import pathlib
import sqlite3
from typing import TextIO

from build_hook.store import database

# Pages in the write-ahead log before a commit also moves them into the database: with SQLite's
# own thousand that is every third commit under load, and somebody's answer waits for it.
CHECKPOINT_PAGES = 4000


class Writer:
    """Opens the database when first needed; ``patience`` seconds for those without a turn."""

    def __init__(self, path: pathlib.Path, patience: float) -> None:
        self._path = path
        self._patience = patience
        self.connection: sqlite3.Connection | None = None
        self._turn: TextIO | None = None
        self._number: int | None = None

    def begin(self) -> sqlite3.Connection:
        """Open a transaction, once it is our turn."""
        connection, turn = self._open()
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not self._is_current():  # a damaged file was replaced
            connection.close()
            self.connection = None
            connection, _ = self._open()
        connection.execute("BEGIN IMMEDIATE")
        return connection

    def begin_at_once(self) -> sqlite3.Connection | None:
        """Open a transaction if nobody else has one; None if it would have to wait."""
        if self.connection is None or self._turn is None:
            return None
        try:
            fcntl.flock(self._turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        if not self._is_current():
            fcntl.flock(self._turn, fcntl.LOCK_UN)
            return None
        self._wait_for(0)
        try:
            self.connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            fcntl.flock(self._turn, fcntl.LOCK_UN)
            return None
        finally:
            self._wait_for(self._patience)
        return self.connection

    def commit(self) -> None:
        """Write what the transaction holds to the disk, and let the next one in."""
        if self.connection is not None and self._turn is not None:
            self.connection.execute("COMMIT")
            fcntl.flock(self._turn, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the file; what was not committed is undone."""
        for held in (self.connection, self._turn):
            if held is not None:
                held.close()
        self.connection = self._turn = None

    def _open(self) -> tuple[sqlite3.Connection, TextIO]:
        if self.connection is None:
            self.connection = database.connect(self._path)
            self._number = database.number(self._path)
            self._wait_for(self._patience)
            self.connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        if self._turn is None:
            self._turn = self._path.with_suffix(".turn").open("w")
        return self.connection, self._turn

    def _is_current(self) -> bool:
        return database.number(self._path) == self._number

    def _wait_for(self, seconds: float) -> None:
        if self.connection is not None:
            self.connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
