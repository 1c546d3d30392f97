"""Records of projects that have left, which no retention of a project's own sees to."""

import json
from collections.abc import Collection

from build_hook.store import session


def forget(of: session.Session, registered: Collection[str], before: float) -> int:
    """Forget the builds of all other projects that ended before a time; returns how many.

    Never what serves or says farewell: of a project that has just left.
    """
    with of.transaction() as connection:
        return connection.execute(
            "DELETE FROM builds WHERE finished < ?"
            " AND project NOT IN (SELECT value FROM json_each(?))"
            " AND id NOT IN (SELECT build FROM serving)"
            " AND id NOT IN (SELECT previous FROM serving WHERE previous IS NOT NULL)"
            " AND id NOT IN (SELECT build FROM lingering)",
            (before, json.dumps(sorted(registered))),
        ).rowcount
