"""Whether a published port can be ours, or a stranger holds it."""

import contextlib
import socket
import time
from collections.abc import Collection, Iterable

from build_hook import errors, port_probe, settings
from build_hook.proxy import runtime

_COME_UP = 3.0
_LOOK_EVERY = 0.1


class Ports:
    """The published ports of one machine, with HAProxy among those who may hold them."""

    def __init__(self, with_settings: settings.Settings, proxy: runtime.Runtime) -> None:
        self._address = with_settings.publish_address
        self._runtime = proxy

    def strangers(self, published: Collection[int]) -> set[int]:
        """Those ports that others than our proxy listen on.

        A proxy that is starting holds its ports a moment before it says so.
        """
        deadline = time.monotonic() + _COME_UP
        while True:
            ours: set[int] | None = None
            with contextlib.suppress(errors.ProxyError):
                ours = self._runtime.published_ports()
            others = set(published) - (ours or set())
            found = {port for port in others if not port_probe.is_free(self._address, port)}
            if not found or ours is not None or time.monotonic() > deadline:
                return found
            time.sleep(_LOOK_EVERY)


class Held:
    """UDP ports that are ours: the kernel redirects what comes there, so nobody listens on them.

    A socket that nothing ever reaches keeps everybody else from doing so.
    """

    def __init__(self, address: str) -> None:
        self._address = "0.0.0.0" if address == "::" else address  # noqa: S104
        self._holders: dict[int, socket.socket] = {}

    def take(self, port: int) -> bool:
        """Hold a port; whether it is ours."""
        if port in self._holders:
            return True
        holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            holder.bind((self._address, port))
        except OSError:
            holder.close()
            return False
        self._holders[port] = holder
        return True

    def keep(self, wanted: Iterable[int]) -> None:
        """Let go of all other ports."""
        for port in self._holders.keys() - set(wanted):
            self._holders.pop(port).close()
