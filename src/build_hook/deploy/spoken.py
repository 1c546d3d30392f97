"""Which protocol a port speaks, where nobody said: asked with one request.

Where HTTP is spoken every request can go to the version that is live; else every connection does.
"""

import socket

from build_hook import deployed

_REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: build-hook\r\nConnection: close\r\n\r\n"
)
_TIMEOUT = 2.0


def settled(of: deployed.Deployed, address: str | None) -> deployed.Deployed:
    """The same project with its ports' protocols, as its container at ``address`` answers."""
    if not of.unsaid or address is None:
        return of
    ports = [
        port.model_copy(update={"app_protocol": "tcp"})
        if port.protocol == "tcp"
        and port.published in of.unsaid
        and not _is_http(address, port.target)
        else port
        for port in of.ports
    ]
    return of.model_copy(update={"ports": tuple(ports), "unsaid": ()})


def _is_http(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=_TIMEOUT) as connection:
            connection.settimeout(_TIMEOUT)
            connection.sendall(_REQUEST)
            return connection.recv(5) == b"HTTP/"
    except OSError:
        return False
