"""A real HAProxy and the front that tells it, with servers of the test at addresses of loopback.

Containers are not needed for what happens at the published ports.
"""

import contextlib
import http.client
import http.server
import json
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Generator

from build_hook import project, settings
from build_hook.demo import product
from build_hook.proxy import front, places
from tests.functional import host as hosts


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers who it is and what it was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        said = {
            "address": self.connection.getsockname()[0],
            "headers": {key.lower(): value for key, value in self.headers.items()},
        }
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass


class Server(http.server.ThreadingHTTPServer):
    """A version, at an address of loopback."""

    def handle_error(self, request: object, client_address: object) -> None:
        """A proxy that is killed takes its connections with it."""


class Stage:
    """A proxy, its front, and projects that serve at addresses of loopback."""

    def __init__(self, folder: pathlib.Path, knobs: dict[str, object]) -> None:
        self._environ = {f"BUILD_HOOK_{name.upper()}": str(knobs[name]) for name in knobs}
        self.settings = settings.load(folder, self._environ)
        self.front = front.Front(self.settings)
        self.target = product.free_port()
        self.projects: dict[str, project.Project] = {}
        self.addresses: dict[str, str] = {}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "build_hook", "--state", str(self.settings.state), "proxy"],
            env={**os.environ, **self._environ},
            start_new_session=True,
        )
        hosts.wait_for(self.front._runtime.is_up, "the proxy", 10)

    def stop(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, 9)
            self.process.wait(10)

    def add(
        self, name: str, *ports: dict[str, object], live: bool = True, strategy: str = "rolling"
    ) -> None:
        """Register a project, and have it live at an address of its own."""
        self.projects[name] = project.Project.model_validate(
            {
                "name": name,
                "repository": "https://git.invalid/x.git",
                "ports": [{"target": self.target, **port} for port in ports],
                "strategy": strategy,
            }
        )
        self.publish()
        if live:
            address = self.addresses.setdefault(name, f"127.0.1.{len(self.addresses) + 1}")
            self.front.switch(places.Target(self.projects[name], (address,)))

    def remove(self, name: str) -> None:
        del self.projects[name]
        self.publish()

    def publish(self) -> None:
        self.front.publish(tuple(self.projects.values()))

    def certificate(self, name: str, content: bytes) -> None:
        """Put a certificate where the operator puts it, and have it noticed."""
        draft = self.settings.certificates / ".draft"
        draft.write_bytes(content)
        draft.replace(self.settings.certificates / f"{name}.pem")
        self.front.look()

    def who(self, port: int, host: str, *, tls: bool = False) -> str:
        """The project that answers for a host name, or the status."""
        status, said, _ = self.ask(port, host, tls=tls)
        if status != 200:
            return str(status)
        at = json.loads(said)["address"]
        return next(name for name, address in self.addresses.items() if address == at)

    def ask(self, port: int, host: str, path: str = "/", *, tls: bool = False):
        with contextlib.closing(self.connection(port, host, tls=tls)) as connection:
            connection.request("GET", path, headers={"Host": host})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), answer

    def connection(self, port: int, host: str, *, tls: bool = False):
        if not tls:
            return http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        made = http.client.HTTPSConnection("127.0.0.1", port, timeout=5)
        made.sock = anyone().wrap_socket(
            socket.create_connection(("127.0.0.1", port), 5), server_hostname=host
        )
        return made

    def shown(self, port: int, host: str) -> bytes:
        """The certificate that a client is shown for a host name."""
        with (
            socket.create_connection(("127.0.0.1", port), 5) as raw,
            anyone().wrap_socket(raw, server_hostname=host) as made,
        ):
            return ssl.DER_cert_to_PEM_cert(made.getpeercert(True) or b"").encode()


def anyone() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@contextlib.contextmanager
def clients(stage: Stage, *asked: tuple[int, str, bool]):
    """Steady clients, kept and new connections; what failed."""
    done, failures, served = threading.Event(), [], [0]

    def run(port: int, host: str, tls: bool, kept: bool) -> None:
        connection = None
        while not done.is_set():
            try:
                if connection is None or connection.sock is None:  # one of us said close
                    connection = stage.connection(port, host, tls=tls)
                connection.request("GET", "/", headers={"Host": host})
                answer = connection.getresponse()
                answer.read()
                served[0] += 1
                if answer.status != 200:
                    failures.append(answer.status)
            except (OSError, http.client.HTTPException) as error:
                failures.append(repr(error))
            if connection is not None and (failures or not kept or done.is_set()):
                connection.close()
            time.sleep(0.01)
        if connection is not None:
            connection.close()

    threads = [
        threading.Thread(target=run, args=(*one, kept)) for one in asked for kept in (True, False)
    ]
    for thread in threads:
        thread.start()
    try:
        yield served
    finally:
        done.set()
        for thread in threads:
            thread.join(10)
    assert failures == []
    assert served[0] > 20


@contextlib.contextmanager
def running(megabytes: int | None = None, **knobs: object) -> Generator[Stage]:
    """A stage with a server at each address, a small disk if asked for, and these settings."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(hosts.folder())
        if megabytes is not None:
            stack.enter_context(hosts.small_disk(folder, megabytes))
        made = Stage(folder, {"publish_address": "127.0.0.1", **knobs})
        servers = [Server((f"127.0.1.{n}", made.target), Echo) for n in range(1, 16)]
        for server in servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            made.start()
            yield made
        finally:
            made.stop()
            for server in servers:
                server.shutdown()
                server.server_close()
