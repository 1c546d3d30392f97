"""Tells the other processes and the log how the worker is, whenever that changes."""

import logging
import pathlib

from build_hook.deploy import condition

_log = logging.getLogger(__name__)


class Reporter:
    """Knows what was said last, and says no more than is new."""

    def __init__(self, run: pathlib.Path) -> None:
        self._run = run
        self._said: condition.Condition | None = None
        self._heard = condition.Condition()
        self._failed = False

    def say(self, now: condition.Condition) -> None:
        """Log the problems that are new, and put all of it where the others read it.

        On a full disk they read what was said before, until there is room.
        """
        for problem in now.whole:
            if problem not in self._heard.whole:
                _log.error("%s", problem)
        self._heard = now
        if now == self._said:
            return
        try:
            condition.write(self._run, now)
            self._said, self._failed = now, False
        except OSError as error:
            if not self._failed:
                _log.error("how the worker is cannot be written down: %s", error)
            self._said, self._failed = None, True
