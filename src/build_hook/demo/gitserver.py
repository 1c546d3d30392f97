"""A small git host on loopback: ``git http-backend`` behind Python's HTTP server.

Anybody on this machine may fetch; a push needs the token. After a push the host calls back
with what moved, as a git host fires its webhooks: once the client has its answer.
"""

import base64
import dataclasses
import hmac
import http.server
import io
import pathlib
import secrets
import subprocess
import threading
from collections.abc import Callable

from build_hook.demo import git

ZERO = "0" * 40


@dataclasses.dataclass(frozen=True, slots=True)
class Moved:
    """A ref of a repository that a push moved."""

    repository: pathlib.Path
    ref: str
    before: str
    after: str

    @property
    def commits(self) -> str:
        """The new commits, as git names a range of them."""
        return self.after if self.before == ZERO else f"{self.before}..{self.after}"


class GitServer:
    """Serves the bare repositories of one folder."""

    def __init__(self, root: pathlib.Path, pushed: Callable[[Moved], None]) -> None:
        self.root = root
        self.token = secrets.token_urlsafe(24)
        self.pushed = pushed
        self.repositories: dict[str, pathlib.Path] = {}
        self._http = _Server(("127.0.0.1", 0), self)
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)

    def __enter__(self) -> "GitServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def address(self) -> str:
        """The URL that all repositories are below."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def authorization(self) -> str:
        """The header that allows a push."""
        return "Basic " + base64.b64encode(f"demo:{self.token}".encode()).decode()

    def create(self, name: str) -> str:
        """Make an empty bare repository that takes pushes; its clone URL."""
        path = self.root / f"{name}.git"
        git.run("init", "--quiet", "--bare", "--initial-branch=main", "--", str(path))
        git.run("config", "http.receivepack", "true", folder=path)
        git.run("config", "uploadpack.allowAnySHA1InWant", "true", folder=path)  # as GitHub
        self.repositories[path.name] = path
        return f"{self.address}/{path.name}"


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], host: GitServer) -> None:
        super().__init__(address, _Handler)
        self.host = host


class _Handler(http.server.BaseHTTPRequestHandler):
    """CGI, as far as ``git http-backend`` needs it (see its manual page)."""

    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass

    def _answer(self) -> None:
        repository = self.server.host.repositories.get(self.path.lstrip("/").split("/")[0])
        if repository is None:
            self._refuse(404)
        elif "receive-pack" in self.path and not self._may_push():
            self._refuse(401)
        elif self.command == "POST" and self.path.endswith("/git-receive-pack"):
            self._receive(repository)
        else:
            self._backend()

    def _refuse(self, status: int) -> None:
        self.send_response(status)
        self.send_header("WWW-Authenticate", 'Basic realm="git"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _may_push(self) -> bool:
        given = self.headers.get("Authorization", "").encode()
        return hmac.compare_digest(given, self.server.host.authorization.encode())

    def _receive(self, repository: pathlib.Path) -> None:
        """Take a push, then tell what it moved."""
        before = git.refs(repository)
        self._backend()
        self.wfile.flush()
        after = git.refs(repository)
        for ref in sorted(before.keys() | after.keys()):
            old, new = before.get(ref, ZERO), after.get(ref, ZERO)
            if old != new:
                self.server.host.pushed(Moved(repository, ref, old, new))

    def _backend(self) -> None:
        body = self._body()
        done = subprocess.run(
            [git.path(), "http-backend"],
            input=body,
            env=self._environment(len(body)),
            capture_output=True,
            timeout=120,
            check=False,
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if line)
        self.send_response(int(headers.pop("Status", "200" if head else "500").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _environment(self, length: int) -> dict[str, str]:
        path, _, query = self.path.partition("?")
        variables = {
            "GIT_PROJECT_ROOT": str(self.server.host.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "REMOTE_ADDR": self.client_address[0],
            "REMOTE_USER": "demo" if self._may_push() else "",
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(length),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        return git.environment() | {name: value for name, value in variables.items() if value}

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return b"".join(_chunks(self.rfile))
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))


def _chunks(stream: io.BufferedIOBase) -> list[bytes]:
    """Pushes above git's http.postBuffer come without a length."""
    found: list[bytes] = []
    while size := int(stream.readline().split(b";")[0], 16):
        found.append(stream.read(size))
        stream.readline()
    stream.readline()
    return found
