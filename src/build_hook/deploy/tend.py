"""Containers get new addresses when they restart: the proxy is told at once."""

import logging
import threading
import time

from build_hook import errors
from build_hook.deploy import containers
from build_hook.proxy import front
from build_hook.store import builds

_log = logging.getLogger(__name__)
_RETRY = 1.0


class Tender(threading.Thread):
    """Follows the engine's events; looks at everything when the engine comes (back)."""

    def __init__(
        self, store: builds.Builds, engine: containers.Containers, proxy: front.Front
    ) -> None:
        super().__init__(name="tender", daemon=True)
        self._store = store
        self._containers = engine
        self._proxy = proxy

    def run(self) -> None:
        """Follow, for as long as the process lives."""
        said = ""
        while True:
            now = time.time()
            try:
                for found in self._containers.all():
                    self._refresh(found)
                for started in self._containers.starts(since=now):
                    found = self._containers.inspect(started)
                    if found is not None:
                        self._refresh(found)
                said = ""
            except errors.BuildHookError as error:
                if str(error) != said:
                    _log.warning("%s", error)
                said = str(error)
            time.sleep(_RETRY)

    def _refresh(self, found: containers.Container) -> None:
        """Send traffic to where a container that serves is now.

        The address is looked up before what serves, and a switch records what serves before it
        moves: so an address that is still known here is that of what serves.
        """
        known = self._proxy.address(found.project)
        serving = self._store.serving().get(found.project)
        if serving is None or serving.build != found.build or known is None:
            return
        if found.is_running and found.address and found.address != known:
            _log.info("%s moved to %s", found.name, found.address)
            self._proxy.move(found.project, known, found.address)
