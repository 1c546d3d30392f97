"""What a build of a compose project is made up of, and where each service runs."""

import dataclasses
from typing import Any

from build_hook.deploy import sightings
from build_hook.store import builds, parts


@dataclasses.dataclass(frozen=True, slots=True)
class Service:
    """One service of a build.

    ``build`` and ``commit`` are those that its containers were made for, since one that did not
    change runs on; None where the build does not serve, or the service has run to its end.
    """

    name: str
    image: str
    build: int | None = None
    commit: str | None = None
    containers: tuple[sightings.Sighting, ...] = ()
    ends: bool = False

    @property
    def condition(self) -> str:
        """How its containers are, in words."""
        if self.ends:
            return "runs to its end"
        if self.build is not None and not self.containers:
            return "no container"
        said = (", ".join(filter(None, (one.status, one.health))) for one in self.containers)
        return "; ".join(dict.fromkeys(said))

    @property
    def row(self) -> dict[str, Any]:
        """It as JSON has it."""
        said = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        said["containers"] = [one.model_dump() for one in self.containers]
        return said | {"condition": self.condition}


def of_project(name: str, store: builds.Builds, seen: sightings.Seen) -> tuple[Service, ...]:
    """The services of what serves a project, in the order in which they start."""
    whole = store.serving().get(name)
    return of_build(store.get(whole.build), store, seen) if whole else ()


def of_build(
    build: builds.Build, store: builds.Builds, seen: sightings.Seen
) -> tuple[Service, ...]:
    """The services of a build; none if it is one container."""
    rows = store.serving()
    whole = rows.get(build.project)
    serving = rows if whole is not None and whole.build == build.id else {}
    return tuple(
        _service(piece, serving.get(piece.part.name), store, seen)
        for piece in parts.read(store.session, build.id)
    )


def _service(
    piece: parts.Piece, row: builds.Serving | None, store: builds.Builds, seen: sightings.Seen
) -> Service:
    of = piece.part
    if row is None:
        return Service(of.service_name, piece.image, ends=of.ends)
    return Service(
        of.service_name,
        piece.image,
        row.build,
        store.get(row.build).commit,
        seen.get(of.name, ()),
    )
