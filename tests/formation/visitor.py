"""What a formation's users and git hosts do: ask, read, deliver, and go on asking."""

import hashlib
import hmac
import http.client
import socket
import ssl
import threading
import time
import urllib.parse
import uuid
from collections.abc import Callable

Question = Callable[[], str]
TIMEOUT = 30  # a crowded machine may be slow: how long was waited is told


def get(url: str, authority: str | None = None) -> str:
    """The body of a page; with TLS only an authority's certificates are believed.

    Raises:
        OSError: if it cannot be had.

    """
    status, body = _request("GET", url, authority=authority)
    if status != 200:
        raise OSError(f"{url} answered {status}")
    return body


def is_open(address: str, port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as connection:
        connection.settimeout(TIMEOUT)
        return connection.connect_ex((address, port)) == 0


def read(address: str, port: int) -> str:
    """What a TCP service says on its own.

    Raises:
        OSError: if it says nothing.

    """
    # A client that ends its half before HAProxy has reached the server is taken for one that left.
    with socket.create_connection((address, port), TIMEOUT) as connection:
        said = b"".join(iter(lambda: connection.recv(4096), b"")).decode()
    if not said:
        raise ConnectionError("it closed without a word")
    return said


def echo(address: str, port: int) -> str:
    """What a UDP service answers.

    Raises:
        OSError: if it does not within a second.

    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(1)
        asking.connect((address, port))
        asking.send(b"?")
        return asking.recv(4096).decode()


def serial(address: str, port: int, authority: str) -> str:
    """The serial number of the certificate that a port shows."""
    context = ssl.create_default_context(cadata=authority)
    with (
        socket.create_connection((address, port), TIMEOUT) as connection,
        context.wrap_socket(connection, server_hostname=address) as secured,
    ):
        shown = secured.getpeercert() or {}
        return str(shown.get("serialNumber"))


def deliver(url: str, body: bytes, secret: str) -> int:
    """Deliver a push as GitHub does; the status of the answer.

    Raises:
        OSError: if there is none.

    """
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": str(uuid.uuid4()),
        "X-Hub-Signature-256": f"sha256={signature}",
    }
    return _request("POST", url, body, headers)[0]


class Load:
    """Asks something again and again until it is left, a new connection each time."""

    def __init__(self, what: str, ask: Callable[[], object], pause: float = 0.02) -> None:
        self.what = what
        self.requests = 0
        self.failures: list[str] = []
        self.longest = 0.0
        self._ask, self._pause = ask, pause
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __str__(self) -> str:
        """What was asked how often, and the longest wait for an answer."""
        return f"{self.requests} {self.what}, longest {self.longest:.1f} s"

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.requests += 1
            started = time.monotonic()
            try:
                self._ask()
            except OSError as error:
                waited = time.monotonic() - started
                self.failures.append(f"{time.strftime('%X')} after {waited:.1f} s: {error}")
            self.longest = max(self.longest, time.monotonic() - started)
            time.sleep(self._pause)


def visits(url: str, authority: str | None = None) -> Load:
    """Requests for one page."""
    return Load("requests", lambda: get(url, authority))


def _request(
    method: str,
    url: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    authority: str | None = None,
) -> tuple[int, str]:
    parts = urllib.parse.urlsplit(url)
    where = {"host": parts.hostname or "", "port": parts.port, "timeout": TIMEOUT}
    if parts.scheme == "https":
        context = ssl.create_default_context(cadata=authority)
        connection = http.client.HTTPSConnection(**where, context=context)
    else:
        connection = http.client.HTTPConnection(**where)
    try:
        connection.request(method, parts.path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except http.client.HTTPException as error:
        raise OSError(f"{url}: {error!r}") from error
    finally:
        connection.close()
