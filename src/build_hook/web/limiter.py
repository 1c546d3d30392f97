"""Failed attempts by address: how many are too many, in bounded memory."""

import hashlib
import math
import mmap
import os
import struct
import threading
import time
from collections.abc import Callable

from build_hook import addresses

# Each address may fail so often at once, and once more after so many seconds.
BURST = 30
EVERY = 2.0
MOST_ADDRESSES = 16_384
# An address has a place in one set of so many; the longest silent one makes room.
_SET = 8
_PLACE = struct.Struct("16sd")


class Limiter:
    """Counts failures, and nothing but failures: who succeeds is never kept waiting.

    For each address it holds the moment at which all its failures are forgotten, in memory that
    processes share which are forked afterwards: web's master makes it, all of web counts
    together. They take no turns: where two write one place at once, a failure may go uncounted.
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
        self._sets = -(-most // _SET)
        self._clock = clock
        self._places = mmap.mmap(-1, self._sets * _SET * _PLACE.size)
        self._secret = os.urandom(16)  # nobody chooses whose place to take
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return sum(1 for _, forgotten in _PLACE.iter_unpack(self._places) if forgotten)

    def fail(self, address: str) -> int | None:
        """Note a failure; the seconds to wait if there were too many, None otherwise."""
        name = addresses.neighbourhood(address).encode("utf-8", "replace")
        key, now = hashlib.blake2b(name, digest_size=16, key=self._secret).digest(), self._clock()
        with self._lock:
            place, forgotten = self._find(key)
            then = max(now, forgotten) + self._every
            excess = then - now - self._burst * self._every
            if excess > 0:
                return math.ceil(excess)
            _PLACE.pack_into(self._places, place, key, then)
        return None

    def _find(self, key: bytes) -> tuple[int, float]:
        """Where an address is, or where there is room for it, and when it is forgotten."""
        first = int.from_bytes(key[:8], "little") % self._sets * _SET * _PLACE.size
        found: list[tuple[float, int]] = []
        for place in range(first, first + _SET * _PLACE.size, _PLACE.size):
            known, forgotten = _PLACE.unpack_from(self._places, place)
            if known == key:
                return place, forgotten
            found.append((forgotten, place))
        return min(found)[1], 0.0
