"""One connection that several threads take turns with."""

import contextlib
import pathlib
import sqlite3
import threading
from collections.abc import Generator, Sequence

from build_hook.store import database

# Seconds that a writer waits for another process's transaction.
PATIENCE = 30.0


class Session:
    """A database that is open; hold ``lock`` where several calls belong together."""

    def __init__(self, path: pathlib.Path, *, patience: float = PATIENCE) -> None:
        self.lock = threading.RLock()
        self._connection = database.connect(path)
        self._connection.execute(f"PRAGMA busy_timeout = {int(patience * 1000)}")

    def close(self) -> None:
        """Let go of the file."""
        with self.lock:
            self._connection.close()

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
        """All rows of a query.

        Raises:
            StoreError: if the database cannot be used.
        """
        with self.lock, database.speaking():
            return self._connection.execute(sql, values).fetchall()

    @contextlib.contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """Write; all of it or nothing.

        Raises:
            StoreError: if the database cannot be used.
        """
        with self.lock, database.speaking():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
