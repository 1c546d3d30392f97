"""What goes on for as long as the process lives, whatever goes wrong on the way."""

import logging
import time
from collections.abc import Callable
from typing import NoReturn

from build_hook import errors

_REST = 1.0


class Rounds:
    """Lets an action fail; says why, once for as long as it fails the same way."""

    def __init__(self, log: logging.Logger, what: str) -> None:
        self._log = log
        self._what = what
        self._said = ""

    def go(self, action: Callable[[], object]) -> bool:
        """Do it; whether it went well."""
        try:
            action()
        except Exception as error:
            self._tell(error)
            return False
        self._said = ""
        return True

    def _tell(self, error: Exception) -> None:
        said = f"{type(error).__name__} {error}"
        if said == self._said:
            return
        self._said = said
        if isinstance(error, errors.BuildHookError):
            self._log.warning("%s: %s", self._what, error)
        else:  # a full disk, or a fault of ours
            self._log.exception("%s: unforeseen, it is tried again", self._what)


def forever(action: Callable[[], object], every: float, rounds: Rounds) -> NoReturn:
    """Do something again and again, with a rest in between; a longer one where it failed."""
    while True:
        went_well = rounds.go(action)
        time.sleep(every if went_well else max(every, _REST))
