"""Steady load on published ports, as a process: ``python -m build_hook.demo.load 3 5 web=http://…``.

Every request that does not end in the right answer counts as failed: refused, reset, closed,
not 200, too late. Nothing is tried again. The one thing forgiven, as any pool of connections
does, is a keep-alive connection that the server had closed already while it was idle.

Writes one line of JSON per tenth of a second and ends when its standard input does.
"""

import asyncio
import contextlib
import dataclasses
import itertools
import json
import math
import sys
import time
import urllib.parse
from collections.abc import Awaitable, Callable

from build_hook.demo import meter

REPORT_EVERY = 0.1
RATE = 12.0  # requests a second of each client
# Kept connections of raw TCP live two seconds: well below the time a deploy leaves to them.
MANNERS = {"http": (0.0, math.inf), "tcp": (0.0, 2.0)}
CLIENTS = 3  # of each manner and port
NAMES: dict[type[Exception], str] = {
    ConnectionRefusedError: "refused",
    ConnectionError: "reset",
    EOFError: "closed",
    TimeoutError: "timeout",
}


class BadAnswerError(Exception):
    """An answer came, and it was not the right one."""


@dataclasses.dataclass(slots=True)
class Connection:
    """A connection of one client, and when the client means to leave it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    until: float

    @property
    def closed(self) -> bool:
        """Whether either end has gone."""
        return self.reader.at_eof() or self.writer.is_closing()


async def ask_http(connection: Connection, word: str) -> str:
    """One GET; the version is the body."""
    connection.writer.write(f"GET /?{word} HTTP/1.1\r\nHost: demo\r\n\r\n".encode())
    head = (await connection.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status, *lines = head.strip().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    body = await connection.reader.readexactly(int(headers.get("content-length", "0")))
    if status.split()[1] != "200":
        raise BadAnswerError(f"status {status.split()[1]}")
    if headers.get("connection") == "close":
        connection.until = 0
    return body.decode("latin-1").strip()


async def ask_tcp(connection: Connection, word: str) -> str:
    """One line there and back; the version stands before it."""
    connection.writer.write(f"{word}\n".encode())
    answer = (await connection.reader.readuntil(b"\n")).decode("latin-1")
    version, _, echoed = answer.strip().partition(" ")
    if echoed != word:
        raise BadAnswerError("wrong echo")
    return version


Ask = Callable[[Connection, str], Awaitable[str]]
ASK: dict[str, Ask] = {"http": ask_http, "tcp": ask_tcp}


class Client:
    """Asks one port at a steady pace; keeps a connection for ``lifetime`` seconds.

    It waits ``patience`` seconds for an answer.
    """

    def __init__(
        self,
        url: urllib.parse.SplitResult,
        lifetime: float,
        patience: float,
        counts: meter.Meter,
    ) -> None:
        self._address = (url.hostname, url.port)
        self._ask = ASK[url.scheme]
        self._forgiving = url.scheme == "http"
        self._lifetime = lifetime
        self._patience = patience
        self._counts = counts
        self._words = (f"{id(self):x}.{number}" for number in itertools.count())
        self._connection: Connection | None = None

    async def run(self, delay: float) -> None:
        """Ask for ever."""
        await asyncio.sleep(delay)
        while True:
            begun = time.monotonic()
            await self._request()
            await asyncio.sleep(max(0.0, 1 / RATE - (time.monotonic() - begun)))

    async def _request(self) -> None:
        try:
            async with asyncio.timeout(self._patience):
                connection = await self._connected()
                version = await self._ask(connection, next(self._words))
        except (OSError, EOFError, ValueError, LookupError, BadAnswerError) as error:
            self._counts.failure(_name(error))
            self._leave()
        else:
            self._counts.success(version)
            if time.monotonic() >= connection.until:
                self._leave()

    async def _connected(self) -> Connection:
        if self._connection and self._connection.closed and self._forgiving:
            self._counts.reopened()
            self._leave()
        if self._connection is None:
            streams = await asyncio.open_connection(*self._address)
            self._connection = Connection(*streams, time.monotonic() + self._lifetime)
        return self._connection

    def _leave(self) -> None:
        if self._connection is not None:
            self._connection.writer.close()
            self._connection = None


def _name(error: Exception) -> str:
    for kind, name in NAMES.items():
        if isinstance(error, kind):
            return name
    return str(error) or type(error).__name__


def _clients(url: str, count: int, patience: float, counts: meter.Meter) -> list[Client]:
    parts = urllib.parse.urlsplit(url)
    return [
        Client(parts, lifetime, patience, counts)
        for _ in range(count)
        for lifetime in MANNERS[parts.scheme]
    ]


def _report(meters: dict[str, meter.Meter]) -> None:
    ports = {name: dataclasses.asdict(counts.take()) for name, counts in meters.items()}
    print(json.dumps({"at": time.monotonic(), "ports": ports}), flush=True)


async def _until_told(meters: dict[str, meter.Meter]) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while not reader.at_eof():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reader.read(1), REPORT_EVERY)
        _report(meters)


async def main(count: int, patience: float, urls: dict[str, str]) -> None:
    """Ask all ports until standard input ends; a client that breaks ends the process."""
    meters = {name: meter.Meter() for name in urls}
    clients = [
        client
        for name, url in urls.items()
        for client in _clients(url, count, patience, meters[name])
    ]
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(client.run(number / len(clients) / RATE))
            for number, client in enumerate(clients)
        ]
        await _until_told(meters)
        for task in tasks:
            task.cancel()


if __name__ == "__main__":
    _, how_many, how_long, *ports = sys.argv
    asyncio.run(main(int(how_many), float(how_long), dict(port.split("=", 1) for port in ports)))
