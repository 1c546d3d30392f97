"""What failed through no fault of the commit is tried again, with growing patience.

Looks at the repositories do not do that: of tags, of branches by a pattern and of what waits for
CI only deliveries tell, and a roll-back or a scheduled rebuild is no head of anything.
"""

import itertools
import time
from collections.abc import Collection, Iterator

from build_hook import project
from build_hook.store import builds, failures

FIRST, LONGEST = 30.0, 3600.0
# With the last wait of an hour that is half a day; who is away for longer is missed by a person.
MOST = 20
_LOOK_EVERY = 5.0


class Retries:
    """Asks for those that are due."""

    def __init__(self, store: builds.Builds) -> None:
        self._store = store
        self._next_look = 0.0

    def ask(self, projects: Collection[project.Project]) -> None:
        """Look a few times a minute, and queue what is due."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + _LOOK_EVERY
        names = {of.name for of in projects}
        for failed in due(self._store, time.time()):
            if failed.project in names:
                again = self._store.add(_request(failed))
                self._store.note(again.id, reason=f"build {failed.id} is tried again")


def due(store: builds.Builds, now: float) -> Iterator[builds.Build]:
    """The builds to try again: the world was at fault, nothing came after, and it is time."""
    for failed in list(failures.last(store.session)):
        tries = _tries(store, failed)
        wait = min(LONGEST, FIRST * 2.0 ** (tries - 1))
        ended = failed.finished or 0.0
        # by a clock that was set back it has not ended yet: that keeps nobody waiting
        if tries <= MOST and not ended <= now < ended + wait:
            yield failed


def _tries(store: builds.Builds, failed: builds.Build) -> int:
    """How often the same was tried in a row."""
    known = failures.before(store.session, failed, MOST + 1)
    asked = _request(failed)
    return sum(1 for _ in itertools.takewhile(lambda b: b.retry and _request(b) == asked, known))


def _request(of: builds.Build) -> builds.Request:
    return builds.Request(
        of.project, of.ref, of.cause, of.commit, of.message, of.source, of.fresh, of.force
    )
