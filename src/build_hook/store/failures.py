"""Failures that are no fault of the commit, and that nothing has come after."""

from collections.abc import Iterator

from build_hook.store import records, session

_LAST = (
    "SELECT * FROM builds AS failed WHERE retry = 1 AND id = (SELECT id FROM builds"
    " WHERE project = failed.project AND phase != 'superseded' ORDER BY id DESC LIMIT 1)"
)
_BEFORE = (
    "SELECT * FROM builds WHERE project = ? AND id <= ? AND phase != 'superseded'"
    " ORDER BY id DESC LIMIT ?"
)


def last(of: session.Session) -> Iterator[records.Build]:
    """The last build of each project where that failed so; one that gave way counts for none."""
    for row in of.rows(_LAST):
        yield records.of_row(row)


def before(of: session.Session, build: records.Build, limit: int) -> Iterator[records.Build]:
    """A build and those of its project before it, newest first."""
    for row in of.rows(_BEFORE, (build.project, build.id, limit)):
        yield records.of_row(row)
