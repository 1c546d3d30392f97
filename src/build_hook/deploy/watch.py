"""After-care: the new version is watched while the old one is still at hand."""

import time
from collections.abc import Callable

from build_hook import errors
from build_hook.deploy import gate


def over(seconds: float, look: gate.Look, is_overtaken: Callable[[], bool]) -> None:
    """Watch a container for a while; a newer push in the queue ends the watch early.

    Raises:
        WatchError: as soon as it dies, is restarted or becomes unhealthy.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not is_overtaken():
        try:
            gate.require_alive(look())
        except errors.GateError as error:
            raise errors.WatchError(error.message, error.hint) from error
        time.sleep(0.2)
