"""A number of things that may exist at once, in all processes of web together."""

import fcntl
import os


class Slots:
    """Places that processes share which are forked afterwards; a dead one's are free again."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._file = os.memfd_create("slots")
        self._mine: set[int] = set()

    def __del__(self) -> None:
        os.close(self._file)

    def take(self) -> int | None:
        """A place that is free from now on for nobody else; None if there is none."""
        for place in range(self._most):
            if place not in self._mine and self._is_locked(place):
                self._mine.add(place)
                return place
        return None

    def give(self, place: int) -> None:
        """Let others have it."""
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, place)
        self._mine.discard(place)

    def _is_locked(self, place: int) -> bool:
        # a record lock belongs to the process, and ends with it
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except OSError:
            return False
        return True
