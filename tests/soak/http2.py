"""Deploys under HTTP/2: clients ask over TLS all the while, many requests on each connection.

``python -m tests.soak.http2 --cycles 100`` prints the table; ``--write FILE`` keeps it.
"""

import argparse
import dataclasses
import pathlib
import re
import subprocess
import sys
import threading
import time

from benchmarks import page, table
from build_hook.demo import product
from build_hook.store import builds
from tests.functional import certificates
from tests.functional import host as hosts
from tests.soak import zero

# Two loads in turns, so that one asks while the other begins: each so many connections, requests
# at once on one, requests a second on one, and requests in all.
TURNS, CONNECTIONS, STREAMS, RATE, REQUESTS = 2, 4, 8, 25, 400
_COUNTS = re.compile(r"requests: (\d+) total, .* (\d+) succeeded,")
_LONGEST = re.compile(r"time for request:\s+\S+\s+([\d.]+)(us|ms|s)\s")
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
PATIENCE = 180.0  # seconds for a deploy on a busy machine
HEAD = ("what", "cycles", "asked", "failed", "longest request ms", "push-to-live s")


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """What h2load saw."""

    asked: int
    failed: int
    longest_ms: float


def read(said: str) -> Seen:
    """What a run of h2load says at its end; another protocol is no run of ours."""
    counts, longest = _COUNTS.search(said), _LONGEST.search(said)
    assert "Application protocol: h2" in said, said
    assert counts, said
    assert longest, said
    asked, good = int(counts[1]), int(counts[2])
    return Seen(asked, asked - good, 1000 * float(longest[1]) * _SECONDS[longest[2]])


class Load:
    """Asks one address from ``with`` to its end."""

    def __init__(self, url: str) -> None:
        self._command = (
            "h2load", f"--clients={CONNECTIONS}", f"--max-concurrent-streams={STREAMS}",
            f"--rps={RATE}", f"--requests={REQUESTS}", url,
        )  # fmt: skip
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(TURNS)]
        self._said: list[str] = []

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    @property
    def seen(self) -> Seen:
        """All of it, once it has ended."""
        runs = [read(said) for said in self._said]
        return Seen(
            sum(one.asked for one in runs),
            sum(one.failed for one in runs),
            max(one.longest_ms for one in runs),
        )

    def _run(self, number: int) -> None:
        time.sleep(number * REQUESTS / RATE / CONNECTIONS / TURNS)
        while not self._done.is_set():
            done = subprocess.run(
                self._command, capture_output=True, text=True, timeout=120, check=False
            )
            self._said.append(done.stdout + done.stderr)


def cycles(host: hosts.Host, count: int) -> tuple[Seen, list[float]]:
    """So many deploys under load; what clients saw, and the seconds from push to live."""
    port = product.free_port()
    secret = host.settings.certificates / "http2.pem"
    secret.touch(mode=0o600)
    secret.write_bytes(certificates.make("shop.example.org"))
    way = {"target": 8000, "published": port, "certificates": ["http2"]}
    made = host.add("http2", ports=[way], port=port, **zero.MANNERED)
    made.live()
    took: list[float] = []
    with Load(f"https://127.0.0.1:{port}/") as load:
        for _ in range(count):
            commit = made.push()
            begun = time.monotonic()
            assert made.ended(commit, PATIENCE).phase is builds.Phase.LIVE
            took.append(time.monotonic() - begun)
    return load.seen, took


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.http2", description=__doc__)
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--write", type=pathlib.Path)
    given = parser.parse_args()
    with hosts.base_image() as base, hosts.serving(base, **zero.KNOBS) as host:
        seen, took = cycles(host, given.cycles)
    words = f"HTTP/2 over TLS, {TURNS * CONNECTIONS} connections, {STREAMS} requests at once each"
    longest, live = f"{seen.longest_ms:.0f}", table.spread(took, 2)
    rows = [(words, str(given.cycles), str(seen.asked), str(seen.failed), longest, live)]
    print(page.table(HEAD, rows))
    if given.write:
        command = f"python -m tests.soak.http2 --cycles {given.cycles}"
        page.write(given.write, "http2", command, [page.table(HEAD, rows)])
    return 1 if seen.failed else 0


if __name__ == "__main__":
    sys.exit(main())
