# pyright: basic, reportMissingTypeStubs=false, reportAttributeAccessIssue=false
# pyright: reportOptionalMemberAccess=false
"""Gunicorn's asgi worker, with what it lacks.

It neither cuts a client that never finishes its first headers, nor refuses connections above
``worker_connections``, and when it stops it waits for connections on which nothing happens.
"""

import asyncio
import functools

from gunicorn import glogging
from gunicorn.asgi import protocol
from gunicorn.workers import gasgi

# Seconds for the first request's headers; later ones are bounded by keepalive.
HEADER_SECONDS = 10.0
LATE_SECONDS = 0.5
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
    b"Retry-After: 5\r\nConnection: close\r\nContent-Length: 87\r\n\r\n"
    b'{"success":false,"error":"Too many connections are open","hint":"Send it again later"}\n'
)


class BoundedProtocol(protocol.ASGIProtocol):
    """One connection, cut when its first headers take too long."""

    _header_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport):
        """Take a connection, or refuse one too many."""
        super().connection_made(transport)
        if self.worker.nr_conns > self.worker.worker_connections:
            self._safe_write(_BUSY)
            self._close_transport()
            return
        self._header_timer = self.worker.loop.call_later(HEADER_SECONDS, self._headers_late)
        self.worker.connections.add(self)

    def connection_lost(self, exc):
        """Forget the connection."""
        self._stop_header_timer()
        self.worker.connections.discard(self)
        super().connection_lost(exc)

    def close_if_idle(self):
        """End the connection unless a request is on it."""
        if self._current_request is None:
            self._close_transport()

    def _on_headers_complete(self):
        self._stop_header_timer()
        return super()._on_headers_complete()

    def _headers_late(self):
        self._send_error_response(408, "The headers came too slowly")
        self._close_transport()

    def _stop_header_timer(self):
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None


class WebWorker(gasgi.ASGIWorker):
    """Serves with bounded connections."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.connections: set[BoundedProtocol] = set()

    async def _serve(self):
        gasgi.ASGIProtocol = BoundedProtocol  # the worker offers no other way
        self.loop.create_server = functools.partial(self._listen, self.loop.create_server)
        # Requests find it in their scope: what streams without end is to end then.
        self.state["stopping"] = asyncio.Event()
        await super()._serve()

    async def _listen(self, create_server, factory, **options):
        """Take connections one at a time, and leave as many waiting as configured.

        asyncio's ``backlog`` is both: how many one process takes before another has its turn, and
        how long the queue of the socket is.
        """
        server = await create_server(factory, **options, backlog=1)
        options["sock"].listen(self.cfg.backlog)
        return server

    async def _shutdown(self):
        self.state["stopping"].set()
        self._close_idle()
        self.loop.call_later(LATE_SECONDS, self._close_idle)  # taken a moment ago, not here yet
        await super()._shutdown()

    def _close_idle(self):
        for connection in tuple(self.connections):
            connection.close_if_idle()


class Logger(glogging.Logger):
    """Gunicorn's own lines, as key=value on one line each."""

    error_fmt = "at=%(asctime)s event=gunicorn level=%(levelname)s text=%(message)r"
    datefmt = "%Y-%m-%dT%H:%M:%S%z"
