"""Who is at the other end: network addresses, also behind proxies that the operator trusts."""

import functools
import ipaddress
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_App = Callable[..., Awaitable[None]]
# A header that is longer was not written by proxies.
_MOST_HOPS = 32


def check(text: str) -> str:
    """A network or a single address as CIDR.

    Raises:
        ValueError: if it is neither.
    """
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise ValueError("must be a network such as 192.0.2.0/24 or an address") from None


def admits(networks: Iterable[str], address: str) -> bool:
    """Whether an address lies in one of the networks."""
    found = _parse(address)
    return found is not None and any(found in _network(text) for text in networks)


def neighbourhood(address: str) -> str:
    """What one party can be expected to hold: an IPv4 address, or an IPv6 /64."""
    found = _parse(address)
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found or address)


def client(peer: str, forwarded: str, trusted: Sequence[str]) -> str:
    """The address that no trusted proxy stands behind; the far end of X-Forwarded-For may lie."""
    hops = forwarded.split(",")[-_MOST_HOPS:] if forwarded else []
    while hops and admits(trusted, peer):
        hop = _parse(_without_port(hops.pop().strip()))
        if hop is None:
            break
        peer = str(hop)
    return peer


class Behind:
    """Gives an application the address of the client in place of the proxy's."""

    def __init__(self, app: _App, trusted: Sequence[str]) -> None:
        self._app = app
        self._trusted = tuple(trusted)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Serve one request."""
        if self._trusted and scope["type"] == "http" and scope.get("client"):
            scope["headers"] = [(name, value) for name, value in scope["headers"]]  # iterables
            peer, port = scope["client"]
            scope["client"] = (client(peer, _forwarded(scope), self._trusted), port)
            if admits(self._trusted, peer) and _spoke_tls(scope):
                scope["scheme"] = "https"
        await self._app(scope, receive, send)


def _forwarded(scope: dict[str, Any]) -> str:
    lines = (value for name, value in scope["headers"] if name == b"x-forwarded-for")
    return b",".join(lines).decode("latin-1")


def _spoke_tls(scope: dict[str, Any]) -> bool:
    return (b"x-forwarded-proto", b"https") in scope["headers"]


@functools.lru_cache(maxsize=4096)
def _network(text: str) -> Network:
    return ipaddress.ip_network(text, strict=False)


def _parse(text: str) -> _Address | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def _without_port(hop: str) -> str:
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
