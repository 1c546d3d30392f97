"""What a build does with each service: replace it, or leave it running."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

from build_hook import part
from build_hook.deploy import containers, job
from build_hook.store import builds, parts


@dataclasses.dataclass(slots=True)
class Step:
    """One service of a build; ``old`` is the version that serves it, ``new`` the one to come."""

    piece: parts.Piece
    old: job.Version | None
    replaces: bool
    new: containers.Container | None = None

    @property
    def part(self) -> part.Part:
        """The service with the settings of this build."""
        return self.piece.part

    @property
    def recreates(self) -> bool:
        """Whether the old version has to end before the new one starts."""
        return self.replaces and self.old is not None and self.part.strategy == "recreate"


def steps(
    pieces: Sequence[parts.Piece],
    live: Iterable[parts.Piece],
    serving: Mapping[str, builds.Serving],
    boxes: Iterable[containers.Container],
    is_told: Callable[[part.Part, int], bool],
) -> list[Step]:
    """What is to be done, in order.

    A service runs on where neither its image nor what its container depends on has changed.

    Args:
        pieces: the services of the build.
        live: the services of the build that is live.
        serving: which build's container serves a service, by PROJECT.SERVICE.
        boxes: the project's containers.
        is_told: whether a service's container of a build has the secrets that it is to have.
    """
    known = {piece.part.name: piece for piece in live}
    at = {(box.unit, box.build): box for box in boxes}
    replaced: set[str] = set()
    planned: list[Step] = []
    for piece in pieces:
        name = piece.part.name
        row, before = serving.get(name), known.get(name)
        box = at.get((name, row.build)) if row else None
        is_same = before is not None and _is_same(before, piece)
        is_same = is_same and (row is None or is_told(piece.part, row.build))
        is_there = piece.part.ends or (box is not None and box.is_running)
        replaces = not (is_same and is_there and replaced.isdisjoint(piece.part.restarts_with))
        if replaces:
            replaced.add(piece.part.service_name)
        old = job.Version(box, before.part if before else piece.part) if box else None
        planned.append(Step(piece, old, replaces))
    return planned


def under_way(
    build: int,
    pieces: Iterable[parts.Piece],
    before: Iterable[parts.Piece],
    serving: Mapping[str, builds.Serving],
    boxes: Iterable[containers.Container],
) -> list[Step]:
    """The steps of a build that serves already, as a crash left it."""
    known = {piece.part.name: piece.part for piece in before}
    at = {(box.unit, box.build): box for box in boxes}
    found: list[Step] = []
    for piece in pieces:
        name = piece.part.name
        row = serving.get(name)
        is_new = row is not None and row.build == build
        last = at.get((name, row.previous)) if is_new and row and row.previous else None
        old = job.Version(last, known.get(name, piece.part)) if last else None
        found.append(Step(piece, old, is_new, at.get((name, build)) if is_new else None))
    return found


def _is_same(before: parts.Piece, now: parts.Piece) -> bool:
    return before.image == now.image and before.part.needs_container == now.part.needs_container
