"""Crowds of slow and of large senders: what a good delivery waits, what web's memory does.

``python -m tests.soak.slow --slow 500 --large 10`` prints the table; ``--write FILE`` keeps it.
"""

import argparse
import concurrent.futures
import contextlib
import dataclasses
import http.client
import pathlib
import socket
import sys
import threading
import time
import uuid
from collections.abc import Generator

from benchmarks import page, peers, signed_push, web_stage

PATH = f"/hooks/{web_stage.name(0)}"
LARGE = 30_000_000
MOST_MS, MOST_MB = 100.0, 50.0


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """What good deliveries saw while a crowd was there, times in milliseconds."""

    crowd: str
    deliveries: int
    refused: int
    p50: float
    p99: float
    longest: float
    grown_mb: float
    crowd_got: str

    @property
    def is_good(self) -> bool:
        return not self.refused and self.p50 < MOST_MS and self.grown_mb < MOST_MB


class Crowd:
    """Those who take long; what they were told is counted when they leave."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._slow: list[socket.socket] = []
        self._pool = concurrent.futures.ThreadPoolExecutor(16)
        self._large: list[concurrent.futures.Future[str]] = []

    def come_slowly(self, count: int) -> None:
        """Half send a piece of their headers, half a piece of a body of 200 kB."""
        for number in range(count):
            one = socket.create_connection(("127.0.0.1", self._port), timeout=30)
            one.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\n".encode())
            if number % 2:
                one.sendall(b"Content-Length: 200000\r\n\r\n" + b"x" * 50_000)
            self._slow.append(one)

    def send_large(self, count: int) -> None:
        """Bodies above the cap, all at once."""
        self._large += [self._pool.submit(self._send_large) for _ in range(count)]

    @property
    def is_sending(self) -> bool:
        return any(not one.done() for one in self._large)

    def leave(self) -> str:
        """Wait for what each is told."""
        told = [one.result() for one in self._large]
        for one in self._slow:
            with contextlib.suppress(OSError):
                told.append(one.recv(4096)[9:12].decode() or "cut")
            one.close()
        self._pool.shutdown()
        counted = {status: told.count(status) for status in sorted(set(told))}
        return ", ".join(f"{status}: {count}" for status, count in counted.items()) or "-"

    def _send_large(self) -> str:
        there = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        with contextlib.closing(there), contextlib.suppress(OSError):
            there.request("POST", PATH, b"x" * LARGE)
            return str(there.getresponse().status)
        return "cut"


@contextlib.contextmanager
def peak(pid: int) -> Generator[list[float]]:
    """The most memory that the processes of web hold while the block runs."""
    found, done = [peers.memory(pid)], threading.Event()

    def look() -> None:
        while not done.wait(0.2):
            found.append(peers.memory(pid))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()


def measure(stage: web_stage.Stage, slow: int, large: int, seconds: float) -> Seen:
    """Good deliveries, one after the other with a pause, for as long as the crowd is there."""
    before, times, refused = peers.memory(stage.pid), list[float](), 0
    crowd = Crowd(stage.port)
    with peak(stage.pid) as memory:
        crowd.come_slowly(slow)
        crowd.send_large(large)
        end = time.monotonic() + seconds
        while time.monotonic() < end or crowd.is_sending:
            took, status = deliver(stage.port)
            times.append(took * 1000)
            refused += status != 202
            time.sleep(0.02)
        told = crowd.leave()
    times.sort()
    words = f"{slow} slow, {large} of 30 MB" if slow or large else "nobody else"
    return Seen(
        words, len(times), refused, times[len(times) // 2], times[int(len(times) * 0.99)],
        times[-1], max(memory) - before, told,
    )  # fmt: skip


def deliver(port: int) -> tuple[float, int]:
    """One good delivery on a new connection: seconds and status."""
    raw = signed_push.body(repository=f"octocat/{web_stage.name(0)}")
    headers = signed_push.headers(raw, str(uuid.uuid4()))
    begun = time.monotonic()
    there = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(there):
        there.request("POST", PATH, raw, headers)
        answer = there.getresponse()
        answer.read()
        return time.monotonic() - begun, answer.status


def run(slow: int, large: int, seconds: float) -> list[Seen]:
    """Alone, with each crowd, and with both; on one server."""
    with web_stage.server(web_stage.OURS) as stage:
        for _ in range(50):
            deliver(stage.port)
        crowds = ((0, 0), (slow, 0), (0, large), (slow, large))
        return [measure(stage, *crowd, seconds) for crowd in crowds]


HEAD = (
    "crowd", "good deliveries", "refused", "p50 ms", "p99 ms", "longest ms", "memory grew MiB",
    "what the crowd was told",
)  # fmt: skip


def row(seen: Seen) -> tuple[str, ...]:
    return (
        seen.crowd, str(seen.deliveries), str(seen.refused), f"{seen.p50:.1f}", f"{seen.p99:.1f}",
        f"{seen.longest:.1f}", f"{seen.grown_mb:.1f}", seen.crowd_got,
    )  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.slow", description=__doc__)
    parser.add_argument("--slow", type=int, default=500)
    parser.add_argument("--large", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=8, help="each crowd, at least")
    parser.add_argument("--write", type=pathlib.Path)
    given = parser.parse_args()
    found = run(given.slow, given.large, given.seconds)
    print(page.table(HEAD, [row(seen) for seen in found]))
    if given.write:
        command = f"python -m tests.soak.slow --slow {given.slow} --large {given.large}"
        page.write(given.write, "slow", command, [page.table(HEAD, [row(seen) for seen in found])])
    return 0 if all(seen.is_good for seen in found) else 1


if __name__ == "__main__":
    sys.exit(main())
