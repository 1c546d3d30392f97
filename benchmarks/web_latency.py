"""How long a git host waits for the answer, at a steady rate of pushes.

python -m benchmarks.web_latency [--json] [--rate 200] [--seconds 20] [--rounds 3] [--projects 10]

Every push is signed, of 8 KB, with its own delivery id, and on disk before the answer. Times
count from when a push was due, so a server that stalls is charged for all that it held up.
"""

import argparse
import asyncio
import dataclasses
import itertools
import pathlib
import sqlite3
import uuid

from benchmarks import signed_push, table, web_stage


@dataclasses.dataclass(slots=True)
class Round:
    """One run, in milliseconds."""

    pushes: int
    p50: float
    p99: float
    longest: float
    failed: int
    stored: int


class Client:
    """Sends prepared requests over connections that stay open."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def send(self, request: bytes, due: float) -> tuple[float, bool]:
        """Send one; returns seconds since it was due, and whether it was accepted."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(due - loop.time())
        reader, writer = self._idle.pop() if self._idle else await self._connect()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        took = loop.time() - due
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        self._idle.append((reader, writer))
        return took, head.startswith(b"HTTP/1.1 202 ")

    def close(self) -> None:
        """Close all connections."""
        for _, writer in self._idle:
            writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._port)


def requests(count: int, projects: int) -> list[bytes]:
    """Requests for all projects in turn, made before the clock runs."""
    return [
        _request(web_stage.name(number))
        for number in itertools.islice(itertools.cycle(range(projects)), count)
    ]


async def run(port: int, rate: int, seconds: float, projects: int) -> tuple[list[float], int]:
    """One round: the times in order, and how many were not accepted."""
    client = Client(port)
    prepared = requests(int(rate * seconds), projects)
    start = asyncio.get_running_loop().time() + 0.2
    results = await asyncio.gather(
        *(client.send(each, start + number / rate) for number, each in enumerate(prepared))
    )
    client.close()
    return sorted(took * 1000 for took, _ in results), sum(not good for _, good in results)


def measure(rate: int, seconds: float, projects: int, changes: float | None = None) -> Round:
    """One round on a fresh server; the registry may change every so many seconds."""
    with web_stage.server(web_stage.OURS, projects) as (port, state, _):
        asyncio.run(run(port, rate, 1, projects))
        before = _stored(state)
        with web_stage.changing(state, changes):
            times, failed = asyncio.run(run(port, rate, seconds, projects))
        stored = _stored(state) - before
    return Round(
        pushes=len(times),
        p50=times[len(times) // 2],
        p99=times[int(len(times) * 0.99)],
        longest=times[-1],
        failed=failed,
        stored=stored,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Latency of a signed push at a steady rate")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--projects", type=int, default=10)
    options = parser.parse_args()
    rounds = [
        measure(options.rate, options.seconds, options.projects) for _ in range(options.rounds)
    ]
    if options.json:
        table.show_json({"rate": options.rate, "rounds": [dataclasses.asdict(r) for r in rounds]})
        return
    show(rounds, f"Signed 8 KB pushes at {options.rate}/s for {options.seconds:g} s, all fsynced")


def show(rounds: list[Round], title: str) -> None:
    """Print the rounds as a table."""
    times = [
        [f"{column} ms", table.spread([getattr(each, column) for each in rounds], 2)]
        for column in ("p50", "p99", "longest")
    ]
    counts = [
        ["pushes", str(sum(each.pushes for each in rounds))],
        ["not accepted", str(sum(each.failed for each in rounds))],
        ["not on disk", str(sum(each.pushes - each.stored for each in rounds))],
    ]
    table.show(title, ["", f"{len(rounds)} rounds"], [*times, *counts])


def _request(project: str) -> bytes:
    body = signed_push.body(repository=f"octocat/{project}")
    headers = signed_push.headers(body, str(uuid.uuid4()))
    lines = [f"{key}: {value}" for key, value in headers.items()]
    head = [f"POST /hooks/{project} HTTP/1.1", "Host: bench", f"Content-Length: {len(body)}"]
    return "\r\n".join([*head, *lines, "", ""]).encode() + body


def _stored(state: pathlib.Path) -> int:
    connection = sqlite3.connect(state / "build-hook.db")
    try:
        return int(connection.execute("SELECT count(*) FROM deliveries").fetchone()[0])
    finally:
        connection.close()


if __name__ == "__main__":
    main()
