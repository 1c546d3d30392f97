"""What HAProxy's workers are told: the one that takes connections, and those from before a reload.

An old worker takes no new connections, but gets requests still, on connections that were kept;
others may wait in it. So it has to know where its projects went.
"""

import contextlib
import time
from collections.abc import Collection

from build_hook import errors
from build_hook.proxy import frontends, places, rendering, runtime

_COME_BACK = 10.0
_LOOK_EVERY = 0.05


class Workers:
    """All workers of one HAProxy."""

    def __init__(self, of: runtime.Runtime) -> None:
        self._runtime = of

    def switch(self, to: places.Place) -> None:
        """Send new traffic where a place says; where the proxy is down, wait for it to come back.

        Raises:
            ProxyError: if it does not confirm.
        """
        deadline = time.monotonic() + _COME_BACK
        while True:
            try:
                if self._does(to):
                    break
            except errors.ProxyError:
                if time.monotonic() > deadline:
                    raise
            if time.monotonic() > deadline:
                raise errors.ProxyError(
                    f"The proxy did not confirm the switch of {to.project.name}",
                    "The version that served before is still served",
                )
            time.sleep(_LOOK_EVERY)
        self._tell_old(places.move_commands(to))

    def hold(self, place: places.Place) -> None:
        """Let new requests wait, as long as the place says.

        Raises:
            ProxyError: if the proxy does not answer.
        """
        commands = places.hold_commands(place)
        self._runtime.command(*commands)
        self._tell_old(commands)

    def go(self, place: places.Place | None = None) -> None:
        """Let the requests that wait go on: those for a place, or all."""
        commands = places.go_commands(place)
        with contextlib.suppress(errors.ProxyError):  # one that died has nobody waiting
            self._runtime.command(*commands)
        self._tell_old(commands)

    def sessions(self, name: str, addresses: Collection[str]) -> int:
        """Sessions of a project that are open on containers.

        Raises:
            ProxyError: if the proxy does not answer.
        """
        return sum(
            load.sessions
            for load in self._runtime.loads()
            if load.address in addresses and frontends.project_of(load.backend) == name
        )

    def close(self, name: str, addresses: Collection[str]) -> None:
        """End what is left on containers that take no new traffic.

        Sessions of a worker from before a reload end with the container itself.
        """
        with contextlib.suppress(errors.ProxyError):
            left = [
                server
                for server in self._runtime.servers()
                if server.address in addresses
                and not server.is_ready
                and frontends.project_of(server.backend) == name
            ]
            self._runtime.command(*places.close_commands(left))

    def free_slot(self, place: places.Place) -> int:
        """A slot that no worker has sessions on; the one after the live one where all have."""
        busy = {place.slot}
        names = {listener.name for listener in place.listeners}
        with contextlib.suppress(errors.ProxyError):
            busy |= {
                rendering.slot_index(load.name)
                for load in self._runtime.loads()
                if load.backend in names and load.sessions
            }
        free = [index for index in range(rendering.SLOTS) if index not in busy]
        return free[0] if free else ((place.slot or 0) + 1) % rendering.SLOTS

    # Private

    def _does(self, place: places.Place) -> bool:
        """Whether HAProxy does as the place says; it is told what it does not do yet."""
        now = self._runtime.servers()
        if places.is_confirmed(place, now):
            return True
        self._runtime.command(*places.switch_commands(place, now))
        return places.is_confirmed(place, self._runtime.servers())

    def _tell_old(self, commands: Collection[str]) -> None:
        with contextlib.suppress(errors.ProxyError):  # they may end at any moment
            self._runtime.tell_old(*commands)
