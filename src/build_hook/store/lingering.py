"""Versions that long sessions still hold, beside the one that serves."""

import dataclasses
import pathlib

from build_hook.store import session


@dataclasses.dataclass(frozen=True, slots=True)
class Version:
    """A build whose container runs on, of a project or PROJECT.SERVICE.

    ``until`` is in Unix seconds.
    """

    build: int
    project: str
    until: float


class Lingering:
    """Those of one database; safe to share between threads."""

    def __init__(self, path: pathlib.Path) -> None:
        self._session = session.Session(path)

    def close(self) -> None:
        """Let go of the file."""
        self._session.close()

    def add(self, version: Version) -> None:
        """Record that a version lingers."""
        with self._session.transaction() as connection:
            connection.execute(
                "INSERT INTO lingering VALUES (?, ?, ?)"
                " ON CONFLICT (build, project) DO UPDATE SET until = excluded.until",
                (version.build, version.project, version.until),
            )

    def all(self, project: str | None = None) -> list[Version]:
        """Those of a project or PROJECT.SERVICE, or of all; the oldest first."""
        rows = self._session.rows(
            "SELECT * FROM lingering WHERE ?1 IS NULL OR project = ?1 ORDER BY build", (project,)
        )
        return [Version(row["build"], row["project"], row["until"]) for row in rows]

    def remove(self, version: Version) -> None:
        """Record that a version has ended."""
        with self._session.transaction() as connection:
            connection.execute(
                "DELETE FROM lingering WHERE build = ? AND project = ?",
                (version.build, version.project),
            )
