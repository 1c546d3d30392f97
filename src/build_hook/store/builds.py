"""Builds: what was asked for, how far it is, how it ended, and which one serves."""

import pathlib
import time
from collections.abc import Collection

from build_hook import errors, part
from build_hook.store import enqueuing, records, session
from build_hook.store.records import Build, Cause, Phase, Request, Serving

__all__ = ["Build", "Builds", "Cause", "Phase", "Request", "Serving", "enqueue"]


enqueue = enqueuing.enqueue
_N = int | None


class Builds:
    """The builds of one database; safe to share between threads."""

    def __init__(self, path: pathlib.Path, *, patience: float = session.PATIENCE) -> None:
        self._session = session.Session(path, patience=patience)

    @property
    def session(self) -> session.Session:
        """The connection, for what is stored beside the builds."""
        return self._session

    def close(self) -> None:
        """Let go of the file."""
        self._session.close()

    def add(self, request: Request) -> Build:
        """Ask for a build."""
        with self._session.transaction() as connection:
            return self._get(enqueuing.enqueue(connection, request))

    def get(self, build: int) -> Build:
        """One build.

        Raises:
            StoreError: if there is none of that number.
        """
        return self._get(build)

    def recent(
        self, project: str | None = None, limit: int = 20, before: int | None = None
    ) -> list[Build]:
        """The newest builds, newest first; only those older than build ``before``."""
        of = "project = ?1" if project else "?1 IS NULL"  # so that the index is used
        return self._select(
            f"WHERE {of} AND (?2 IS NULL OR id < ?2) ORDER BY id DESC LIMIT ?3",
            (project or None, before, limit),
        )

    def queued(self) -> list[Build]:
        """Builds that wait, oldest first."""
        return self._select("WHERE phase = 'queued' AND finished IS NULL ORDER BY id")

    def running(self) -> list[Build]:
        """Builds that were started and have not ended, oldest first."""
        return self._select("WHERE finished IS NULL AND phase != 'queued' ORDER BY id")

    def fail(self, build: int, reason: str, *, retry: bool) -> None:
        """Record that a build failed; ``retry`` if the commit is not to blame."""
        with self._session.transaction() as connection:
            connection.execute(
                "UPDATE builds SET retry = ? WHERE id = ? AND finished IS NULL", (retry, build)
            )
        self.enter(build, Phase.FAILED, reason)

    def enter(self, build: int, phase: Phase, reason: str | None = None) -> None:
        """Record that a build enters a phase; call it before acting. The first end stays.

        Raises:
            CancelledError: if it has ended, or somebody cancelled it before it took traffic.
        """
        now, late = time.time(), phase not in records.CANCELLABLE
        with self._session.transaction() as connection:
            entered = connection.execute(
                "UPDATE builds SET phase = ?1, reason = ?2, finished = ?3 WHERE id = ?4"
                " AND finished IS NULL AND (cancel = 0 OR ?5 OR phase IN"
                " ('switching', 'draining', 'watching'))",
                (phase, reason, now if phase.is_end else None, build, late),
            )
            if entered.rowcount:
                connection.execute("INSERT INTO phases VALUES (?, ?, ?)", (build, phase, now))
            elif not phase.is_end:
                raise errors.CancelledError(f"Build {build} is {self._get(build).phase}")

    def note(self, build: int, **columns: str | None) -> None:
        """Record facts of a build, by the names of its columns."""
        unknown = columns.keys() - {
            "commit_id", "message", "settings", "image", "container", "reason", "overlay"
        }  # fmt: skip
        if unknown:
            raise ValueError(f"no such columns: {unknown}")
        names = ", ".join(f"{name} = ?" for name in columns)
        with self._session.transaction() as connection:
            connection.execute(
                f"UPDATE builds SET {names} WHERE id = ?",  # noqa: S608 - names checked above
                (*columns.values(), build),
            )

    def charge(self, build: int, *, requests: _N, failed: _N, longest_gap_ms: _N) -> None:
        """Record what a cutover cost the users, as far as it is known."""
        with self._session.transaction() as connection:
            connection.execute(
                "UPDATE builds SET requests = ?, failed = ?, longest_gap_ms = ? WHERE id = ?",
                (requests, failed, longest_gap_ms, build),
            )

    def ask_cancel(self, build: int) -> Build:
        """Ask a build to stop; a queued one ends at once, one that serves gives way again.

        Raises:
            StoreError: if it has ended already, or serves and nothing served before it.
        """
        with self._session.transaction() as connection:
            found = self._get(build)
            if found.finished is not None:
                raise errors.StoreError(f"Build {build} has ended already: {found.phase}")
            if found.phase.takes_traffic and not self._has_way_back(found):
                raise errors.StoreError(
                    f"Build {build} serves already, and nothing served before it",
                    "Push a better one",
                )
            connection.execute("UPDATE builds SET cancel = 1 WHERE id = ?", (build,))
        if found.phase is Phase.QUEUED:
            self.enter(build, Phase.CANCELLED, "cancelled while it was queued")
        return self.get(build)

    def requeue(self, build: int, reason: str) -> None:
        """Put a build that could not go on back into the queue, unless a newer one waits."""
        with self._session.lock:
            if self.newer_queued(self.get(build)):
                self.enter(build, Phase.SUPERSEDED, "by a newer push")
            else:
                self.enter(build, Phase.QUEUED, reason)

    def forget_old(self, project: str, keep: int) -> list[int]:
        """Forget builds that ended, but the newest, what serves, and what has an image."""
        with self._session.transaction() as connection:
            rows = connection.execute(
                "DELETE FROM builds WHERE project = ?1 AND finished IS NOT NULL AND id NOT IN"
                " (SELECT id FROM builds WHERE project = ?1 ORDER BY id DESC LIMIT ?2)"
                " AND id NOT IN (SELECT build FROM serving)"
                " AND id NOT IN (SELECT build FROM lingering)"
                " AND id NOT IN (SELECT previous FROM serving WHERE previous IS NOT NULL)"
                " AND NOT (phase = 'live' AND source IS NULL AND image IS NOT NULL AND has_image)"
                " RETURNING id",
                (project, keep),
            ).fetchall()
        return [row["id"] for row in rows]

    def adopt(
        self, unit: str, ref: str, build: int, commit: str, image: str | None, container: str
    ) -> None:
        """Record that a version runs, of a project or PROJECT.SERVICE; its image if known."""
        now, has_image = time.time(), image is not None
        with self._session.transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO builds (id, project, ref, commit_id, cause, phase, created,"
                " finished, image, has_image, container) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (build, part.root(unit), ref, commit, Cause.RECONCILE, Phase.LIVE, now, now,
                 image, has_image, container),
            )  # fmt: skip
        self.set_serving(unit, build, None)

    def went_live(self, project: str, limit: int) -> list[Build]:
        """The newest versions that were built and went live, and whose image is here."""
        return self._select(
            "WHERE project = ? AND phase = 'live' AND source IS NULL AND has_image"
            " ORDER BY id DESC LIMIT ?",
            (project, limit),
        )

    def note_images(self, project: str, images: Collection[str]) -> None:
        """Record which of a project's images are still here: nobody can go back to others."""
        with self._session.transaction() as connection:
            known = connection.execute(
                "SELECT DISTINCT image FROM builds WHERE project = ? AND image IS NOT NULL"
                " AND has_image AND finished IS NOT NULL",
                (project,),
            ).fetchall()
            connection.executemany(
                "UPDATE builds SET has_image = 0 WHERE project = ? AND image = ?",
                [(project, row["image"]) for row in known if row["image"] not in images],
            )

    def newer(self, build: Build) -> Build | None:
        """The build of the project that waits behind this one."""
        found = self._select(
            "WHERE project = ? AND phase = 'queued' AND id > ? ORDER BY id DESC LIMIT 1",
            (build.project, build.id),
        )
        return found[0] if found else None

    def newer_queued(self, build: Build) -> bool:
        """Whether another build of the project waits behind this one."""
        return self.newer(build) is not None

    def phases(self, build: int) -> list[tuple[Phase, float]]:
        """The phases of a build, with the time of each."""
        rows = self._session.rows(
            "SELECT phase, at FROM phases WHERE build = ? ORDER BY rowid", (build,)
        )
        return [(Phase(row["phase"]), float(row["at"])) for row in rows]

    def serving(self) -> dict[str, Serving]:
        """What serves, by project."""
        rows = self._session.rows("SELECT * FROM serving")
        return {
            row["project"]: Serving(row["project"], row["build"], row["previous"]) for row in rows
        }

    def set_serving(self, project: str, build: int, previous: int | None) -> None:
        """Record which build serves from now on."""
        with self._session.transaction() as connection:
            connection.execute(
                "INSERT INTO serving VALUES (?, ?, ?) ON CONFLICT (project)"
                " DO UPDATE SET build = excluded.build, previous = excluded.previous",
                (project, build, previous),
            )

    def forget_serving(self, project: str) -> None:
        """Record that nothing serves a project any more, nor its services."""
        with self._session.transaction() as connection:
            connection.execute(
                "DELETE FROM serving WHERE project = ?1 OR project LIKE ?1 || '.%'", (project,)
            )

    def _has_way_back(self, build: Build) -> bool:
        row = self.serving().get(build.project)
        return row is not None and (row.build != build.id or row.previous is not None)

    def _get(self, build: int) -> Build:
        found = self._select("WHERE id = ?", (build,))
        if not found:
            raise errors.StoreError(f"There is no build {build}", "List them: build-hook builds")
        return found[0]

    def _select(self, clause: str, values: tuple[object, ...] = ()) -> list[Build]:
        rows = self._session.rows(
            f"SELECT * FROM builds {clause}",  # noqa: S608 - clauses are literals of this file
            values,
        )
        return [records.of_row(row) for row in rows]
