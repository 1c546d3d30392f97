"""Deploys again and again while clients ask: what these saw of each, by the manner of asking."""

import contextlib
import dataclasses
import statistics
import time

import websocket

from build_hook.demo import traffic
from build_hook.store import builds
from tests import datagrams
from tests.functional import host as hosts

CLIENTS = 10  # of each of two manners, 12 requests a second each: 240
SENDERS, RATE = 6, 100
SOCKETS, GRACE = 5, 3.0
MOST_GAP_MS = 250
PATIENCE = 180.0
STRETCH = 10  # cycles of UDP that share their senders, whose log is searched all the while


@dataclasses.dataclass(frozen=True, slots=True)
class Cycle:
    """What users saw of one deploy; ``failed`` holds a number for each client where they count."""

    requests: int
    failed: tuple[int, ...]
    longest_gap_ms: float
    push_to_live_s: float


def is_good(
    cycles: list[Cycle], *, count: int, most: int = 0, most_gap_ms: float = MOST_GAP_MS
) -> bool:
    """Whether nobody noticed: so many cycles, how many may fail to a client, the median gap."""
    failed = [one for cycle in cycles for one in cycle.failed]
    if len(cycles) < count or not failed:
        return False
    gap = statistics.median(cycle.longest_gap_ms for cycle in cycles)
    return statistics.median(failed) == 0 and max(failed) <= most and gap < most_gap_ms


def gone_live(made: hosts.Project, commit: str) -> builds.Build:
    """Wait for the end of a deploy: the build that brought a commit, by delivery or by looking."""
    made.ended(commit, PATIENCE)
    found = [build for build in made.history() if build.commit == commit]
    live = next((build for build in found if build.phase is builds.Phase.LIVE), None)
    assert live is not None, [f"{build.phase}: {build.reason}" for build in found]
    return live


def streams(made: hosts.Project, cycles: int) -> list[Cycle]:
    """Cycles under 240 requests a second."""
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
            gone_live(made, commit)
            time.sleep(0.3)
            load.check()
            window = load.window(begun)
            assert seen is not None, f"{made.version} never answered"
            found.append(
                Cycle(window.requests, (window.failed,), window.longest_gap_ms, seen - pushed)
            )
    return found


def udp(made: hosts.Project, cycles: int) -> list[Cycle]:
    """Cycles while clients send 100 datagrams a second each, with kept and with new sockets."""
    made.live()
    found: list[Cycle] = []
    for done in range(0, cycles, STRETCH):
        found += _udp_stretch(made, min(STRETCH, cycles - done))
    return found


def _udp_stretch(made: hosts.Project, cycles: int) -> list[Cycle]:
    marks: list[tuple[float, float, float]] = []
    with datagrams.sending(made.port, SENDERS, RATE) as senders:
        hosts.wait_for(lambda: senders.answers(made.version), "an answer")
        for _ in range(cycles):
            time.sleep(0.5)
            begun = time.monotonic()
            commit = made.push()
            pushed = time.monotonic()
            seen = hosts.wait_for(lambda: senders.answers(made.version), "the new version")
            gone_live(made, commit)
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


def websockets(made: hosts.Project, cycles: int) -> list[Cycle]:
    """Cycles with WebSockets open, asked all the while; failed are those cut before their grace.

    The gap is what the first of them got beyond going live, in milliseconds.
    """
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
            asked, ends = _ask_until_cut(held, version)
        build = gone_live(made, commit)
        assert build.finished is not None
        lived = [end - build.finished for end in ends]
        early = sum(one < GRACE - 0.5 for one in lived)
        found.append(Cycle(asked, (early,), 1000 * min(lived), build.finished - pushed))
    return found


def _ask_until_cut(held: list[websocket.WebSocket], version: str) -> tuple[int, list[float]]:
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
