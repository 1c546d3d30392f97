"""A wire to a server, which breaks where a test wants it to."""

import contextlib
import socket
import socketserver
import threading
import urllib.parse
from collections.abc import Generator


class Wire:
    """Passes connections on to a server; each is cut after so many bytes of its answers."""

    def __init__(self, server: str) -> None:
        where = urllib.parse.urlsplit(server)
        assert where.hostname
        assert where.port
        self.server = (where.hostname, where.port)
        self.cut_after: int | None = None
        self.cuts = 0
        self.address = ""

    def carry(self, client: socket.socket) -> None:
        """One connection, until either side ends it or it is cut."""
        with contextlib.suppress(OSError), socket.create_connection(self.server, 10) as server:
            threading.Thread(target=self._pass_on, args=(client, server), daemon=True).start()
            told = 0
            while said := server.recv(4096):
                told += len(said)
                if self.cut_after is not None and told > self.cut_after:
                    self.cuts += 1
                    break
                client.sendall(said)
            for end in (client, server):  # the other thread is waiting for one of them
                end.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _pass_on(client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while said := client.recv(65536):
                server.sendall(said)
            server.shutdown(socket.SHUT_WR)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextlib.contextmanager
def to(server: str) -> Generator[Wire]:
    """A wire to the server of a URL."""
    made = Wire(server)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            made.carry(self.request)

    with _Server(("127.0.0.1", 0), Handler) as listening:
        made.address = f"http://127.0.0.1:{listening.server_address[1]}"
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        try:
            yield made
        finally:
            listening.shutdown()
