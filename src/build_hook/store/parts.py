"""The parts of builds: which image and settings each service of a compose project has.

What serves a service stands in the table ``serving`` under PROJECT.SERVICE.
"""

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Iterable

from build_hook import part
from build_hook.store import session


@dataclasses.dataclass(frozen=True, slots=True)
class Piece:
    """A part of a build, and the id of its image."""

    part: part.Part
    image: str


def name_of(pieces: Iterable[Piece]) -> str:
    """What stands for all images of a build; another one as soon as one of them is."""
    text = "\n".join(sorted(f"{piece.part.name} {piece.image}" for piece in pieces))
    return f"compose:{hashlib.sha256(text.encode()).hexdigest()}"


def read(of: session.Session, build: int) -> tuple[Piece, ...]:
    """The parts of a build, in the order in which they start; none if it has none."""
    rows = of.rows("SELECT image, settings FROM parts WHERE build = ? ORDER BY position", (build,))
    return tuple(
        Piece(part.Part.model_validate_json(row["settings"]), row["image"]) for row in rows
    )


def forget_incomplete(of: session.Session) -> None:
    """Forget the parts of builds that have not all of them any more: damage took some."""
    rows = of.rows(
        "SELECT id, image FROM builds WHERE image IS NOT NULL AND id IN (SELECT build FROM parts)"
    )
    wrong = [(row["id"],) for row in rows if not _is_whole(of, row["id"], row["image"])]
    with of.transaction() as connection:
        connection.executemany("DELETE FROM parts WHERE build = ?", wrong)


def _is_whole(of: session.Session, build: int, name: str) -> bool:
    try:
        return name_of(read(of, build)) == name
    except ValueError:  # what can be read need not be what was written
        return False


class Parts:
    """The parts of one database's builds; safe to share between threads."""

    def __init__(self, path: pathlib.Path) -> None:
        self._session = session.Session(path)

    def close(self) -> None:
        """Let go of the file."""
        self._session.close()

    def put(self, build: int, pieces: Iterable[Piece]) -> None:
        """Record the parts of a build, in the order in which they start."""
        with self._session.transaction() as connection:
            connection.execute("DELETE FROM parts WHERE build = ?", (build,))
            connection.executemany(
                "INSERT INTO parts VALUES (?, ?, ?, ?)",
                [
                    (build, n, piece.image, piece.part.model_dump_json(exclude_defaults=True))
                    for n, piece in enumerate(pieces)
                ],
            )

    def of(self, build: int) -> tuple[Piece, ...]:
        """The parts of a build, in the order in which they start; none if it has none."""
        return read(self._session, build)

    def images(self, of: Iterable[int]) -> set[str]:
        """The images of builds, and of all that serve or have not ended."""
        rows = self._session.rows(
            "SELECT image FROM parts WHERE build IN (SELECT value FROM json_each(?))"
            " OR build IN (SELECT build FROM serving UNION SELECT previous FROM serving)"
            " OR build IN (SELECT id FROM builds WHERE finished IS NULL)",
            (json.dumps(list(of)),),
        )
        return {row["image"] for row in rows}
