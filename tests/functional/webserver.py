"""Web under the real gunicorn as a process, with a state folder of its own."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Mapping
from typing import Any

from benchmarks import signed_push
from build_hook import project, registry, settings
from build_hook.store import session, tokens

SHOP = project.Project(
    name="shop",
    repository="https://github.example/octocat/shop.git",
    ref="main",
    webhook_secrets=("shop",),
)


class Answer:
    """What came back."""

    def __init__(self, status: int, headers: Any, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class WebServer:
    """The process and its state."""

    def __init__(self, state: pathlib.Path, **environ: str) -> None:
        self.settings = settings.load(state, {})
        secret = self.settings.secrets / "shop"
        secret.touch(0o600)
        secret.write_bytes(signed_push.SECRET)
        registry.save(self.settings.registry, registry.Registry(projects=(SHOP,)))
        self.log = state / "web.log"
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        fd = str(self._socket.fileno())
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "build_hook", "--state", str(state), "web", "--fd", fd],
                env={**os.environ, **{f"BUILD_HOOK_{k}": v for k, v in environ.items()}},
                pass_fds=(self._socket.fileno(),),
                start_new_session=True,
                stdout=log,
                stderr=log,
            )

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(15)
        self._socket.close()

    def token(self, scope: str, name: str | None = None) -> dict[str, str]:
        """The header that presents a new token."""
        of = session.Session(self.settings.database)
        try:
            _, secret = tokens.Tokens(of).create(name or scope, tokens.Scope(scope))
        finally:
            of.close()
        return {"Authorization": f"Bearer {secret}"}

    def open(self, path: str, headers: Mapping[str, str], timeout: float = 15) -> Any:
        """A GET whose answer is read piece by piece."""
        request = urllib.request.Request(f"{self.url}{path}", headers=dict(headers))
        return urllib.request.urlopen(request, timeout=timeout)

    def request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        request = urllib.request.Request(f"{self.url}{path}", body, dict(headers), method=method)
        try:
            with urllib.request.urlopen(request, timeout=15) as response:
                return Answer(response.status, response.headers, response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def push(self, delivery: str, secret: bytes = signed_push.SECRET) -> Answer:
        body = signed_push.body()
        headers = signed_push.headers(body, delivery, secret=secret)
        return self.request("POST", "/hooks/shop", headers, body)


@contextlib.contextmanager
def serving(state: pathlib.Path, **environ: str) -> Generator[WebServer]:
    """A server that answers."""
    server = WebServer(state, **environ)
    try:
        assert server.request("GET", "/healthz", {}).status == 200, server.log.read_text()
        yield server
    finally:
        server.close()


def until(done, seconds: float = 10) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.05)
