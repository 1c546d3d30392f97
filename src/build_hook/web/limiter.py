"""Failed attempts by address: how many are too many, in bounded memory."""

import collections
import math
import threading
import time
from collections.abc import Callable

from build_hook import addresses

# Each address may fail so often at once, and once more after so many seconds.
BURST = 30
EVERY = 2.0
MOST_ADDRESSES = 10_000


class Limiter:
    """Counts failures, and nothing but failures: who succeeds is never kept waiting.

    For each address it holds the moment at which all its failures are forgotten. Each process
    of web counts for itself.
    """

    def __init__(
        self,
        *,
        burst: int = BURST,
        every: float = EVERY,
        most: int = MOST_ADDRESSES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._burst = burst
        self._every = every
        self._most = most
        self._clock = clock
        self._forgotten: collections.OrderedDict[str, float] = collections.OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._forgotten)

    def fail(self, address: str) -> int | None:
        """Note a failure; the seconds to wait if there were too many, None otherwise."""
        key, now = addresses.neighbourhood(address), self._clock()
        with self._lock:
            then = max(now, self._forgotten.get(key, now)) + self._every
            excess = then - now - self._burst * self._every
            if excess > 0:
                return math.ceil(excess)
            self._forgotten[key] = then
            self._forgotten.move_to_end(key)
            if len(self._forgotten) > self._most:
                self._forgotten.popitem(last=False)
        return None
