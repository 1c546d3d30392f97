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
        self._path = path
        self._patience = patience
        self._connection = self._open()

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
            return self._current().execute(sql, values).fetchall()

    @contextlib.contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """Write; all of it or nothing.

        Raises:
            StoreError: if the database cannot be used.
        """
        with self.lock, database.speaking():
            connection = self._current()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _current(self) -> sqlite3.Connection:
        """The connection; another one where a damaged file was replaced."""
        if not self._connection.in_transaction and database.number(self._path) != self._number:
            self._connection.close()
            self._connection = self._open()
        return self._connection

    def _open(self) -> sqlite3.Connection:
        connection = database.connect(self._path)
        connection.execute(f"PRAGMA busy_timeout = {int(self._patience * 1000)}")
        self._number = database.number(self._path)
        return connection
