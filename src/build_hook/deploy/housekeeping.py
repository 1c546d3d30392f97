"""What is done now and then while the worker runs: old deliveries are forgotten."""

import logging
import threading
import time

from build_hook import errors, settings
from build_hook.store import archive, session

EVERY = 600.0
_DAY = 86_400

_log = logging.getLogger(__name__)


class Housekeeper(threading.Thread):
    """Keeps deliveries within their bounds of time and room."""

    def __init__(self, with_settings: settings.Settings) -> None:
        super().__init__(name="housekeeper", daemon=True)
        self._settings = with_settings

    def run(self) -> None:
        """Look again and again, for as long as the process lives."""
        while True:
            try:
                forget(self._settings, time.time())
            except errors.BuildHookError as error:
                _log.warning("old deliveries stay for now: %s", error)
            time.sleep(EVERY)


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
