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

    def begin(self) -> sqlite3.Connection:
        """Open a transaction, once it is our turn."""
        if self.connection is None:
            self.connection = database.connect(self._path)
            self.connection.execute(f"PRAGMA busy_timeout = {int(self._patience * 1000)}")
            self.connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        if self._turn is None:
            self._turn = self._path.with_suffix(".turn").open("w")
        fcntl.flock(self._turn, fcntl.LOCK_EX)
        self.connection.execute("BEGIN IMMEDIATE")
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
