"""An HTTP server in front of a git server, that asks for a user and a token, or sends elsewhere.

It notes what every request brought to log in with.
"""

import base64
import contextlib
import dataclasses
import http.client
import http.server
import threading
import urllib.parse
from collections.abc import Callable, Generator

SENT_BACK = ("Content-Type", "WWW-Authenticate", "Cache-Control", "Location")


@dataclasses.dataclass(slots=True)
class Doorkeeper:
    """A server that runs; with ``login`` (user, token) it asks, with ``elsewhere`` it redirects.

    Where both are given it asks first.
    """

    behind: str
    login: tuple[str, str] | None = None
    elsewhere: str | None = None
    renamed: tuple[str, str] | None = None
    answers: Callable[[str, str, bytes | None], bytes | None] | None = None
    address: str = ""
    dropped: tuple[str, ...] = ()
    brought: list[str] = dataclasses.field(default_factory=list[str])

    @property
    def logins(self) -> set[str]:
        """What was brought, as ``user:token``."""
        texts = (text.removeprefix("Basic ") for text in self.brought if text)
        return {base64.b64decode(text).decode() for text in texts}

    def admits(self, authorization: str) -> bool:
        return self.login is None or authorization == "Basic " + base64.b64encode(
            ":".join(self.login).encode()
        ).decode("ascii")


@contextlib.contextmanager
def standing(
    behind: str, host: str = "127.0.0.1", login: tuple[str, str] | None = None
) -> Generator[Doorkeeper]:
    """Stand before a git server's address."""
    keeper = Doorkeeper(behind, login)

    class Handler(_Handler):
        door = keeper

    server = http.server.ThreadingHTTPServer((host, 0), Handler)
    server.daemon_threads = True
    keeper.address = f"http://{host}:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield keeper
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    door: Doorkeeper

    def do_GET(self):
        self._answer(None)

    def do_POST(self):
        self._answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def log_message(self, format, *args):  # noqa: A002 - the base's name
        pass

    def _answer(self, body):
        given = self.headers.get("Authorization", "")
        self.door.brought.append(given)
        if self.door.renamed and self.path.startswith(self.door.renamed[0]):
            path = self.path.replace(*self.door.renamed)
            self._send(301, {"Location": f"{self.door.address}{path}"}, b"")
        elif not self.door.admits(given):
            self._send(401, {"WWW-Authenticate": 'Basic realm="private"'}, b"")
        elif self.door.answers and (
            content := self.door.answers(self.door.address, self.path, body)
        ):
            self._send(200, {"Content-Type": "application/vnd.git-lfs+json"}, content)
        elif self.door.elsewhere:
            self._send(302, {"Location": f"{self.door.elsewhere}{self.path}"}, b"")
        else:
            self._send(*self._forward(body))

    def _forward(self, body):
        dropped = ("Host", "Authorization", *self.door.dropped)
        kept = {k: v for k, v in self.headers.items() if k not in dropped}
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.door.behind).netloc)
        with contextlib.closing(connection):
            connection.request(self.command, self.path, body, kept)
            answer = connection.getresponse()
            headers = {k: v for k, v in answer.getheaders() if k in SENT_BACK}
            return answer.status, headers, answer.read()

    def _send(self, status, headers, content):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
