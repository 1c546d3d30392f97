"""Deploys that nobody notices: cycles of every kind under steady load.

``python -m tests.soak.zero --cycles 100`` prints the tables; ``--write FILE`` keeps them, and
``--only NAME…`` runs some kinds.
"""

import argparse
import contextlib
import dataclasses
import pathlib
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import websocket

from benchmarks import page, table
from build_hook.demo import product, traffic
from build_hook.store import builds
from tests import datagrams
from tests.functional import host as hosts

KNOBS: dict[str, Any] = {"reconcile_interval": 30, "min_free_mb": 10}
MANNERED: dict[str, Any] = {"watch": 1, "drain": 4, "stop_grace_period": 2}
CLIENTS = 10  # of each of two manners, 12 requests a second each: 240
SENDERS, RATE = 6, 100
SOCKETS, GRACE = 5, 3.0
MOST_GAP_MS, MOST_LOST = 250, 2
PATIENCE = 180.0

TERM = "trap 'kill $!; exit 0' TERM\nwait\n"
SLOW = f"#!/bin/sh\nsleep 1.5\nhttpd -f -p 8000 -h /www &\n{TERM}"
STUBBORN = "#!/bin/sh\ntrap '' TERM\nhttpd -f -p 8000 -h /www &\nwait\nsleep 1000\n"


@dataclasses.dataclass(frozen=True, slots=True)
class Cycle:
    """What users saw of one deploy; ``failed`` holds a number for each client where they count."""

    requests: int
    failed: tuple[int, ...]
    longest_gap_ms: float
    push_to_live_s: float


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """What is deployed again and again."""

    name: str
    words: str
    protocol: str = "http"
    of: dict[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    most_gap_ms: float = MOST_GAP_MS


STREAMS = (
    Kind("http", "HTTP, kept and new connections"),
    Kind("tcp", "raw TCP, new connections and some of two seconds", "tcp"),
    Kind("slow", "HTTP, listens after 1.5 s", of={"files": {"serve.sh": SLOW}}),
    Kind("stubborn", "HTTP, ignores SIGTERM", of={"files": {"serve.sh": STUBBORN}}),
    Kind("recreate", "HTTP, `strategy: recreate`: requests wait",
         of={"strategy": "recreate"}, most_gap_ms=float("inf")),
)  # fmt: skip


def streams(host: hosts.Host, kind: Kind, cycles: int) -> list[Cycle]:
    """Cycles under 240 requests a second."""
    made = host.add(f"zero-{kind.name}", kind.protocol, **{**MANNERED, **kind.of})
    made.live()
    found: list[Cycle] = []
    with traffic.Traffic({made.name: made.url}, CLIENTS) as load:
        assert load.wait_for(made.name, made.version, PATIENCE), "no answer before the first cycle"
        for _ in range(cycles):
            time.sleep(0.5)
            begun = time.monotonic()
            commit = made.push()
            pushed = time.monotonic()
            seen = load.wait_for(made.name, made.version, PATIENCE)
            assert made.ended(commit, PATIENCE).phase is builds.Phase.LIVE
            time.sleep(0.3)
            load.check()
            window = load.window(begun)
            assert seen is not None
            found.append(
                Cycle(window.requests, (window.failed,), window.longest_gap_ms, seen - pushed)
            )
        load.stop()
    return found


def udp(host: hosts.Host, cycles: int) -> list[Cycle]:
    """Cycles while clients send 100 datagrams a second each, with kept and with new sockets."""
    number = product.free_port()
    ports = [hosts.port(number, 7000, "udp")]
    made = hosts.everything(host, "zero-udp", ports=ports, port=number, **MANNERED)
    made.live()
    marks: list[tuple[float, float, float]] = []
    with datagrams.sending(number, SENDERS, RATE) as senders:
        hosts.wait_for(lambda: senders.answers(made.version), "an answer")
        for _ in range(cycles):
            time.sleep(0.5)
            begun = time.monotonic()
            commit = made.push()
            pushed = time.monotonic()
            seen = hosts.wait_for(lambda: senders.answers(made.version), "the new version")
            assert made.ended(commit, PATIENCE).phase is builds.Phase.LIVE
            time.sleep(0.3)
            marks.append((begun, time.monotonic(), seen - pushed))
        senders.stop()
    return [
        Cycle(
            len(senders.sent(begun, end)),
            tuple(senders.lost(begun, end)),
            1000 * senders.longest_gap(begun, end),
            took,
        )
        for begun, end, took in marks
    ]


def websockets(host: hosts.Host, cycles: int) -> list[Cycle]:
    """Cycles with WebSockets open, asked all the while; failed are those cut before their grace.

    The gap is what the first of them got beyond going live, in milliseconds.
    """
    made = hosts.everything(host, "zero-ws", session_grace=GRACE, **{**MANNERED, "drain": 0.5})
    made.live()
    found: list[Cycle] = []
    for _ in range(cycles):
        with contextlib.ExitStack() as stack:
            url = f"ws://127.0.0.1:{made.port}/"
            held = [websocket.create_connection(url, timeout=5) for _ in range(SOCKETS)]
            for connection in held:
                stack.callback(connection.close)
            version = made.version
            commit = made.push()
            pushed = time.time()
            asked, ends = ask_until_cut(held, version)
        build = made.ended(commit, PATIENCE)
        assert build.phase is builds.Phase.LIVE
        assert build.finished is not None
        lived = [end - build.finished for end in ends]
        early = sum(one < GRACE - 0.5 for one in lived)
        found.append(Cycle(asked, (early,), 1000 * min(lived), build.finished - pushed))
    return found


def ask_until_cut(held: list[websocket.WebSocket], version: str) -> tuple[int, list[float]]:
    """Ask each ten times a second until it is closed: how many answers, and when each ended."""
    asked, ends, deadline = 0, list[float](), time.monotonic() + PATIENCE
    open_now = list(held)
    while open_now and time.monotonic() < deadline:
        for connection in list(open_now):
            try:
                connection.send("x")
                is_open = connection.recv() == f"{version} x"
            except (websocket.WebSocketException, OSError):
                is_open = False
            asked += is_open
            if not is_open:
                open_now.remove(connection)
                ends.append(time.time())
        time.sleep(0.1)
    return asked, ends


HEAD = (
    "what", "cycles", "asked a cycle", "failed a cycle", "failed in all", "longest gap ms",
    "push-to-live s",
)  # fmt: skip

WEBSOCKET_HEAD = (
    "what", "cycles", "answers a cycle", "cut early a cycle", "cut early in all",
    "the first cut, ms after live", "push-to-live s, watch included",
)  # fmt: skip


def row(words: str, cycles: list[Cycle]) -> tuple[str, ...]:
    failed = [one for cycle in cycles for one in cycle.failed]
    return (
        words,
        str(len(cycles)),
        table.spread([cycle.requests for cycle in cycles]),
        table.spread(failed),
        str(sum(failed)),
        table.spread([cycle.longest_gap_ms for cycle in cycles]),
        table.spread([cycle.push_to_live_s for cycle in cycles], 2),
    )


def is_good(cycles: list[Cycle], *, most: int = 0, most_gap_ms: float = MOST_GAP_MS) -> bool:
    """Whether nobody noticed: how many may fail to one client, and the gap at the median."""
    failed = [one for cycle in cycles for one in cycle.failed]
    gap = statistics.median(cycle.longest_gap_ms for cycle in cycles)
    return statistics.median(failed) == 0 and max(failed) <= most and gap < most_gap_ms


@dataclasses.dataclass(slots=True)
class Trial:
    """Runs what is asked for on one host, and keeps the rows."""

    host: hosts.Host
    cycles: int
    only: frozenset[str]
    rows: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    bad: list[str] = dataclasses.field(default_factory=list)

    def take(
        self, name: str, words: str, measure: Callable[[], list[Cycle]], **limits: Any
    ) -> None:
        if self.only and name not in self.only:
            return
        found = measure()
        self.rows[name] = row(words, found)
        print(*self.rows[name], sep=" | ", file=sys.stderr, flush=True)
        if not is_good(found, **limits):
            self.bad.append(name)

    @property
    def tables(self) -> list[str]:
        """What was seen, as Markdown."""
        rest = [one for name, one in self.rows.items() if name != "websocket"]
        sockets = [one for name, one in self.rows.items() if name == "websocket"]
        pairs = ((HEAD, rest), (WEBSOCKET_HEAD, sockets))
        return [page.table(head, rows) for head, rows in pairs if rows]

    def run(self) -> None:
        host, cycles, unbound = self.host, self.cycles, float("inf")
        for kind in STREAMS:
            self.take(
                kind.name,
                kind.words,
                lambda kind=kind: streams(host, kind, cycles),
                most_gap_ms=kind.most_gap_ms,
            )
        words = f"UDP, each of {SENDERS} clients at {RATE}/s"
        self.take("udp", words, lambda: udp(host, cycles), most=MOST_LOST)
        words = f"{SOCKETS} WebSockets, `session_grace: {GRACE:g}`"
        self.take("websocket", words, lambda: websockets(host, cycles), most_gap_ms=unbound)


def run(cycles: int, only: frozenset[str] = frozenset()) -> Trial:
    """These kinds, or all."""
    with hosts.base_image() as base, hosts.serving(base, **KNOBS) as host:
        trial = Trial(host, cycles, only)
        trial.run()
    return trial


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.zero", description=__doc__)
    parser.add_argument("--cycles", type=int, default=100, help="of each kind")
    parser.add_argument("--only", nargs="*", default=[], help="some kinds: their names")
    parser.add_argument("--write", type=pathlib.Path)
    given = parser.parse_args()
    trial = run(given.cycles, frozenset(given.only))
    print(*trial.tables, sep="\n\n")
    if given.write:
        page.write(
            given.write, "zero", f"python -m tests.soak.zero --cycles {given.cycles}", trial.tables
        )
    for name in trial.bad:
        print(f"NOT GOOD: {name}", file=sys.stderr)
    return 1 if trial.bad else 0


if __name__ == "__main__":
    sys.exit(main())
