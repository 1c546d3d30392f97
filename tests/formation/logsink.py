"""A receiver of logs as Loki is one: takes pushes in JSON and gzip, and may be away."""

import dataclasses
import email.message
import gzip
import http.server
import json
import threading
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Entry:
    """A line, and who is said to have said it."""

    text: str
    labels: Mapping[str, str]


class LogSink:
    """Listens at one address while it is open; what came stays known."""

    def __init__(self, address: str) -> None:
        self.entries: list[Entry] = []
        self._address = (address, 0)
        self._server: http.server.ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Where lines are pushed to."""
        address, port = self._address
        return f"http://{address}:{port}/loki/api/v1/push"

    def __enter__(self) -> "LogSink":
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Begin to listen, again at the port of before."""
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(sink.take(self.path, self.headers, body))
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
                pass

        self._server = http.server.ThreadingHTTPServer(self._address, Handler)
        self._address = (self._address[0], self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()

    def close(self) -> None:
        """Be away: connections are refused."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def take(self, path: str, headers: email.message.Message, body: bytes) -> int:
        """Keep what is pushed as Loki wants it; the status of the answer."""
        kinds = (headers.get("Content-Type"), headers.get("Content-Encoding"))
        if path != "/loki/api/v1/push" or kinds != ("application/json", "gzip"):
            return 400
        for stream in json.loads(gzip.decompress(body))["streams"]:
            for at, text in stream["values"]:
                if not at.isdigit():
                    return 400
                self.entries.append(Entry(text, stream["stream"]))
        return 204

    def find(self, text: str) -> Entry | None:
        """The first line with that text in it."""
        return next((entry for entry in self.entries if text in entry.text), None)

    def count(self, text: str) -> int:
        """How often a line with that text in it came."""
        return sum(text in entry.text for entry in self.entries)
