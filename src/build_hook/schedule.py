"""When to look at which repository: spread out, and patient with hosts that do not answer."""

import heapq
import random
from collections.abc import Callable, Iterable

from build_hook import remotes

_JITTER = 0.1
_FIRST_BACK_OFF = 10.0
_LONGEST_BACK_OFF = 3600.0


class Schedule:
    """Repositories and when each is due, in the seconds of ``clock``.

    A repository is due at once when it is new, then every ``interval`` seconds give or take a
    tenth. Each failure in a row of one host doubles the time that it is left in peace, all its
    repositories together.
    """

    def __init__(self, interval: float, clock: Callable[[], float]) -> None:
        self._interval = interval
        self._clock = clock
        self._queue: list[tuple[float, str]] = []
        self._known: set[str] = set()
        self._failures: dict[str, int] = {}
        self._peace: dict[str, float] = {}

    def know(self, repositories: Iterable[str]) -> None:
        """Look at these from now on, and at no others."""
        wanted = set(repositories)
        now = self._clock()
        for new in sorted(wanted - self._known):
            heapq.heappush(self._queue, (now, new))
        self._known = wanted

    def hurry(self) -> None:
        """Make everything due now; hosts that are left in peace stay so."""
        self._queue = [(self._clock(), repository) for repository in sorted(self._known)]

    def take(self) -> str | None:
        """The next repository that is due; it is not due again until ``looked``."""
        now = self._clock()
        while self._queue and self._queue[0][0] <= now:
            _, repository = heapq.heappop(self._queue)
            if repository not in self._known:
                continue
            peace = self._peace.get(host(repository), 0.0)
            if peace <= now:
                return repository
            heapq.heappush(self._queue, (peace, repository))
        return None

    def looked(self, repository: str, *, answered: bool) -> None:
        """Note how a look went, and when the next one is due."""
        now, of = self._clock(), host(repository)
        if answered:
            self._failures.pop(of, None)
            self._peace.pop(of, None)
        else:
            self._failures[of] = failures = self._failures.get(of, 0) + 1
            self._peace[of] = now + min(_LONGEST_BACK_OFF, _FIRST_BACK_OFF * 2 ** (failures - 1))
        spread = 1 + random.uniform(-_JITTER, _JITTER)  # noqa: S311 - not for secrets
        pause = self._interval * spread if answered else 0.0
        heapq.heappush(self._queue, (now + pause, repository))

    def seconds_to_next(self) -> float:
        """How long nothing is due."""
        if not self._queue:
            return self._interval
        return max(0.0, self._queue[0][0] - self._clock())


def host(repository: str) -> str:
    """The host of a clone URL, to be patient with."""
    remote = remotes.parse(repository)
    return remote.host if remote else repository
