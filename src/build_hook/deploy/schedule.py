"""When to look at which repository: spread out, and patient with hosts that do not answer."""

import heapq
import random
from collections.abc import Callable, Iterable

from build_hook import remotes

_JITTER = 0.1
_FIRST_BACK_OFF = 10.0
_LONGEST_BACK_OFF = 3600.0
_UNDER_WAY = float("inf")


class Schedule:
    """Repositories and when each is due, in the seconds of ``clock``.

    A repository is due at once when it is new, then every ``interval`` seconds give or take a
    tenth. Each failure in a row of one host doubles the time that it is left in peace, all its
    repositories together.
    """

    def __init__(self, interval: float, clock: Callable[[], float]) -> None:
        self._interval = interval
        self._clock = clock
        self._due: dict[str, float] = {}
        self._queue: list[tuple[float, str]] = []  # may hold more than is due, see _is_current
        self._again: set[str] = set()
        self._failures: dict[str, int] = {}
        self._peace: dict[str, float] = {}

    def know(self, repositories: Iterable[str]) -> None:
        """Look at these from now on, and at no others."""
        wanted = set(repositories)
        for gone in self._due.keys() - wanted:
            del self._due[gone]
        for new in sorted(wanted - self._due.keys()):
            self._put(new, self._clock())

    def hurry(self, repository: str | None = None) -> None:
        """Make one, or everything, due now; hosts that are left in peace stay so."""
        known = sorted(self._due) if repository is None else [repository]
        for wanted in known:
            due = self._due.get(wanted)
            if due == _UNDER_WAY:
                self._again.add(wanted)
            elif due is not None:
                self._put(wanted, self._clock())

    def take(self) -> str | None:
        """The next repository that is due; it is due again an interval after it was looked at."""
        now = self._clock()
        while self._queue and self._queue[0][0] <= now:
            entry = heapq.heappop(self._queue)
            if not self._is_current(entry):
                continue
            repository = entry[1]
            peace = self._peace.get(host(repository), 0.0)
            if peace <= now:
                self._due[repository] = _UNDER_WAY
                return repository
            self._put(repository, peace)
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
        if repository in self._due:
            spread = 1 + random.uniform(-_JITTER, _JITTER)  # noqa: S311 - not for secrets
            is_due = not answered or repository in self._again
            self._put(repository, now if is_due else now + self._interval * spread)
        self._again.discard(repository)

    def seconds_to_next(self) -> float:
        """How long nothing is due."""
        while self._queue and not self._is_current(self._queue[0]):
            heapq.heappop(self._queue)
        if not self._queue:
            return self._interval
        return max(0.0, self._queue[0][0] - self._clock())

    def _put(self, repository: str, due: float) -> None:
        self._due[repository] = due
        heapq.heappush(self._queue, (due, repository))

    def _is_current(self, entry: tuple[float, str]) -> bool:
        return self._due.get(entry[1]) == entry[0]


def host(repository: str) -> str:
    """The host of a clone URL or of an image, to be patient with."""
    if repository.startswith("image://"):
        return repository.split("/")[2]
    remote = remotes.parse(repository)
    return remote.host if remote else repository
