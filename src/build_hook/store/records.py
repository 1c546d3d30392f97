"""What the store knows of a build, as values."""

import dataclasses
import enum
import sqlite3

from build_hook import reference


class Phase(enum.StrEnum):
    """Where a build is. The first line is the way, the second the ends."""

    QUEUED = "queued"
    FETCHING = "fetching"
    BUILDING = "building"
    STARTING = "starting"
    GATING = "gating"
    SWITCHING = "switching"
    DRAINING = "draining"
    WATCHING = "watching"

    LIVE = "live"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"
    ROLLED_BACK = "rolled-back"
    SKIPPED = "skipped"

    @property
    def is_end(self) -> bool:
        """Whether nothing more will happen."""
        return self in ENDS

    @property
    def takes_traffic(self) -> bool:
        """Whether traffic may be on the new version, while the build has not ended."""
        return self in TAKING_TRAFFIC


ENDS = frozenset(
    {
        Phase.LIVE,
        Phase.FAILED,
        Phase.SUPERSEDED,
        Phase.CANCELLED,
        Phase.ROLLED_BACK,
        Phase.SKIPPED,
    }
)

TAKING_TRAFFIC = frozenset({Phase.SWITCHING, Phase.DRAINING, Phase.WATCHING})

# Entering one of these is refused to a cancelled build; after them it is too late to cancel.
CANCELLABLE = frozenset(
    {
        Phase.FETCHING,
        Phase.BUILDING,
        Phase.STARTING,
        Phase.GATING,
        Phase.SWITCHING,
    }
)


class Cause(enum.StrEnum):
    """Why a build was asked for."""

    PUSH = "push"
    DEPLOY = "deploy"
    RECONCILE = "reconcile"
    ROLLBACK = "rollback"
    REPLAY = "replay"
    REBUILD = "rebuild"


@dataclasses.dataclass(frozen=True, slots=True)
class Build:
    """One row. ``commit`` is None until the head of ``ref`` is known; times are Unix seconds.

    Of an image that is pulled, ``ref`` is the tag and ``commit`` the digest of the manifest.

    ``source`` is the build whose image a roll-back takes; ``settings`` the project as it was,
    in JSON; ``image`` the image's id; ``container`` the container's id. ``retry`` says that it
    failed through no fault of the commit, so that trying again makes sense. ``requests``,
    ``failed`` and ``longest_gap_ms`` are what its cutover cost the users, None where that is not
    known. ``fresh`` asks for the newest base image and no cache, ``force`` goes though the project
    is held. ``has_image`` is False once the image was collected. ``overlay`` is what the
    repository set for itself, in JSON.
    """

    id: int
    project: str
    ref: str
    commit: str | None
    message: str | None
    cause: Cause
    source: int | None
    phase: Phase
    reason: str | None
    cancel: bool
    retry: bool
    created: float
    finished: float | None
    settings: str | None
    image: str | None
    container: str | None
    requests: int | None
    failed: int | None
    longest_gap_ms: int | None
    fresh: bool
    force: bool
    has_image: bool
    overlay: str | None

    @property
    def image_digest(self) -> str | None:
        """The digest of the manifest that was pulled; None for what was built here."""
        return self.commit if reference.is_digest(self.commit) else None


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """A build to ask for."""

    project: str
    ref: str
    cause: Cause
    commit: str | None = None
    message: str | None = None
    source: int | None = None
    fresh: bool = False
    force: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Serving:
    """The build that serves a project, and the one before it."""

    project: str
    build: int
    previous: int | None


def of_row(row: sqlite3.Row) -> Build:
    """A row of the table ``builds`` as a value."""
    return Build(
        id=row["id"],
        project=row["project"],
        ref=row["ref"],
        commit=row["commit_id"],
        message=row["message"],
        cause=Cause(row["cause"]),
        source=row["source"],
        phase=Phase(row["phase"]),
        reason=row["reason"],
        cancel=bool(row["cancel"]),
        retry=bool(row["retry"]),
        created=row["created"],
        finished=row["finished"],
        settings=row["settings"],
        image=row["image"],
        container=row["container"],
        requests=row["requests"],
        failed=row["failed"],
        longest_gap_ms=row["longest_gap_ms"],
        fresh=bool(row["fresh"]),
        force=bool(row["force"]),
        has_image=bool(row["has_image"]),
        overlay=row["overlay"],
    )
