"""What is done now and then while the worker runs, so that nothing of ours grows for ever."""

import logging
import threading
import time
from collections.abc import Callable, Iterable

from build_hook import settings
from build_hook.deploy import steady, upkeep
from build_hook.store import archive, session

EVERY = 600.0
_LOOKS = 10  # at the disk, in that time
_DAY = 86_400

_log = logging.getLogger(__name__)


class Housekeeper(threading.Thread):
    """Keeps deliveries, images, logs and cache within bounds, and the disk below its mark."""

    def __init__(
        self,
        with_settings: settings.Settings,
        of: upkeep.Upkeep,
        names: Callable[[], Iterable[str]],
    ) -> None:
        super().__init__(name="housekeeper", daemon=True)
        self._settings = with_settings
        self._upkeep = of
        self._names = names
        self._turn = 0

    def run(self) -> None:
        """Look again and again, for as long as the process lives."""
        steady.forever(self.look, EVERY / _LOOKS, steady.Rounds(_log, "what is old stays for now"))

    def look(self) -> None:
        """Look at the disk, now and then at the bounds; where those fail, the disk counts more."""
        self._turn += 1
        if self._turn % _LOOKS == 1:
            steady.Rounds(_log, "what is old stays for now").go(self._bound)
        _tell("for the disk is full", self._upkeep.relieve(self._names()))

    def _bound(self) -> None:
        forget(self._settings, time.time())
        _tell("to stay within bounds", self._upkeep.bound(self._names()))


def _tell(why: str, freed: upkeep.Freed) -> None:
    if freed:
        _log.info("removed %s: %s", why, freed)


def forget(with_settings: settings.Settings, now: float) -> int:
    """Forget the deliveries that are too old, and the oldest of too many; returns how many.

    Raises:
        StoreError: if the database cannot be used.
    """
    of = session.Session(with_settings.database)
    try:
        gone = archive.Archive(of).forget_old(
            before=now - with_settings.keep_deliveries_days * _DAY,
            most_bytes=int(with_settings.keep_deliveries_mb * 2**20),
        )
    finally:
        of.close()
    if gone:
        _log.info("deliveries forgotten for their age or room: %d", gone)
    return gone
