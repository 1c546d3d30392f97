"""Clients that send datagrams at a steady pace, and count which were answered.

Half of them keep a socket, as a game or a call does; half take a new one each time, as a
resolver does.
"""

import asyncio
import collections
import contextlib
import dataclasses
import itertools
import threading
import time
from collections.abc import Generator

LATE = 2.0  # seconds after which a datagram is lost


@dataclasses.dataclass(slots=True)
class Sent:
    """A datagram: its client, when it was sent, and when and by which version answered."""

    client: int
    at: float
    answered: float | None = None
    version: str = ""


class Client(asyncio.DatagramProtocol):
    """Sends numbered datagrams; answers carry the number."""

    def __init__(self, log: list[Sent]) -> None:
        self._log = log

    def datagram_received(self, data: bytes, addr: object) -> None:
        version, _, number = data.decode().rpartition(" ")
        sent = self._log[int(number)]
        sent.answered, sent.version = time.monotonic(), version

    def error_received(self, exc: Exception) -> None:
        """The port was refused: the datagram stays without an answer."""


class Senders(threading.Thread):
    """Clients of one port, from ``with`` to its end; times are of the monotonic clock."""

    def __init__(self, address: tuple[str, int], clients: int = 8, rate: float = 100) -> None:
        super().__init__(daemon=True)
        self._address = address
        self._clients = clients
        self._pause = 1 / rate
        self._log: list[Sent] = []
        self._done = threading.Event()

    def __enter__(self) -> "Senders":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Send no more, and wait for late answers."""
        self._done.set()
        self.join()

    def run(self) -> None:
        asyncio.run(self._send())

    def sent(self, begin: float = 0, end: float = float("inf")) -> list[Sent]:
        """The datagrams of a stretch of time."""
        return [sent for sent in self._log if begin <= sent.at < end]

    def lost(self, begin: float = 0, end: float = float("inf")) -> list[int]:
        """How many each client lost."""
        lost = collections.Counter(s.client for s in self.sent(begin, end) if s.answered is None)
        return [lost[client] for client in range(self._clients)]

    def longest_gap(self, begin: float, end: float) -> float:
        """The longest time without an answer to anybody, in seconds."""
        times = sorted(s.answered for s in self.sent(begin, end) if s.answered is not None)
        return max((b - a for a, b in itertools.pairwise(times)), default=0.0)

    def answers(self, version: str) -> float | None:
        """When a version answered first."""
        return min(
            (s.answered for s in self._log if s.version == version and s.answered), default=None
        )

    async def _send(self) -> None:
        async with asyncio.TaskGroup() as group:
            for client in range(self._clients):
                group.create_task(self._client(client))

    async def _client(self, client: int) -> None:
        keeps = client % 2 == 0
        await asyncio.sleep(self._pause * client / self._clients)
        with contextlib.ExitStack() as open_now:
            kept = await self._open(open_now) if keeps else None
            due = time.monotonic()
            while not self._done.is_set():
                self._log.append(Sent(client, time.monotonic()))
                number = str(len(self._log) - 1).encode()
                if kept:
                    kept.sendto(number)
                else:
                    fresh = await self._open()
                    fresh.sendto(number)
                    asyncio.get_running_loop().call_later(LATE, fresh.close)
                due += self._pause
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            await asyncio.sleep(LATE + 0.1)

    async def _open(self, until: contextlib.ExitStack | None = None) -> asyncio.DatagramTransport:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: Client(self._log), remote_addr=self._address
        )
        if until is not None:
            until.callback(transport.close)
        return transport


@contextlib.contextmanager
def sending(port: int, clients: int = 8, rate: float = 100) -> Generator[Senders]:
    """Clients on a port of this host."""
    with Senders(("127.0.0.1", port), clients, rate) as senders:
        yield senders
