"""Deploys that nobody notices: cycles of every kind under steady load, several kinds at a time.

``python -m tests.soak.zero --cycles 100`` prints the tables; ``--write FILE`` keeps them,
``--only NAME…`` runs some kinds, ``--together N`` so many at a time, on one product.
"""

import argparse
import concurrent.futures
import dataclasses
import pathlib
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks import page, table
from build_hook.demo import product
from tests.functional import host as hosts
from tests.soak import cycles

KNOBS: dict[str, Any] = {"reconcile_interval": 30, "min_free_mb": 10}
MANNERED: dict[str, Any] = {"watch": 1, "drain": 4, "stop_grace_period": 2}
TOGETHER = 4
MOST_LOST = 2
UNBOUND = float("inf")

TERM = "trap 'kill $!; exit 0' TERM\nwait\n"
SLOW = f"#!/bin/sh\nsleep 1.5\nhttpd -f -p 8000 -h /www &\n{TERM}"
STUBBORN = "#!/bin/sh\ntrap '' TERM\nhttpd -f -p 8000 -h /www &\nwait\nsleep 1000\n"

Make = Callable[[hosts.Host], hosts.Project]


def _plain(name: str, protocol: str = "http", **of: Any) -> Make:
    return lambda host: host.add(f"zero-{name}", protocol, **{**MANNERED, **of})


def _every(name: str, kind: str = "http", **of: Any) -> Make:
    def made(host: hosts.Host) -> hosts.Project:
        number = product.free_port()
        target = 8000 if kind == "http" else 7000
        ports = [hosts.port(number, target, kind)]
        return hosts.everything(
            host, f"zero-{name}", ports=ports, port=number, **{**MANNERED, **of}
        )

    return made


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """What is deployed again and again, how it is asked, and what may go wrong."""

    name: str
    words: str
    make: Make
    measure: Callable[[hosts.Project, int], list[cycles.Cycle]] = cycles.streams
    most_failed: int = 0
    most_gap_ms: float = cycles.MOST_GAP_MS


KINDS = (
    Kind("http", "HTTP, kept and new connections", _plain("http")),
    Kind("tcp", "raw TCP, new connections and some of two seconds", _plain("tcp", "tcp")),
    Kind("slow", "HTTP, listens after 1.5 s", _plain("slow", files={"serve.sh": SLOW})),
    Kind("stubborn", "HTTP, ignores SIGTERM", _plain("stubborn", files={"serve.sh": STUBBORN})),
    Kind(
        "websocket",
        f"{cycles.SOCKETS} WebSockets, `session_grace: {cycles.GRACE:g}`",
        _every("ws", session_grace=cycles.GRACE, drain=0.5),
        cycles.websockets,
        most_gap_ms=UNBOUND,
    ),
    Kind(
        "recreate",
        "HTTP, `strategy: recreate`: requests wait",
        _plain("recreate", strategy="recreate"),
        most_gap_ms=UNBOUND,
    ),
    Kind(
        "udp",
        f"UDP, each of {cycles.SENDERS} clients at {cycles.RATE}/s",
        _every("udp", "udp"),
        cycles.udp,
        most_failed=MOST_LOST,
    ),
)

HEAD = (
    "what", "cycles", "asked a cycle", "failed a cycle", "failed in all", "longest gap ms",
    "push-to-live s",
)  # fmt: skip

WEBSOCKET_HEAD = (
    "what", "cycles", "answers a cycle", "cut early a cycle", "cut early in all",
    "the first cut, ms after live", "push-to-live s, watch included",
)  # fmt: skip


def row(words: str, found: list[cycles.Cycle]) -> tuple[str, ...]:
    """A kind's line of the table."""
    failed = [one for cycle in found for one in cycle.failed]
    return (
        words,
        str(len(found)),
        table.spread([cycle.requests for cycle in found]),
        table.spread(failed),
        str(sum(failed)),
        table.spread([cycle.longest_gap_ms for cycle in found]),
        table.spread([cycle.push_to_live_s for cycle in found], 2),
    )


@dataclasses.dataclass(slots=True)
class Outcome:
    """What was found of each kind; ``broken`` holds why a kind came to no end."""

    count: int
    together: int
    took_s: float = 0.0
    found: dict[Kind, list[cycles.Cycle]] = dataclasses.field(
        default_factory=dict[Kind, list[cycles.Cycle]]
    )
    broken: dict[str, str] = dataclasses.field(default_factory=dict[str, str])

    @property
    def bad(self) -> list[str]:
        """Kinds of which somebody noticed, and those that broke."""
        noticed = (
            kind.name
            for kind, found in self.found.items()
            if not cycles.is_good(
                found, count=self.count, most=kind.most_failed, most_gap_ms=kind.most_gap_ms
            )
        )
        return [*noticed, *self.broken]

    @property
    def parts(self) -> list[str]:
        """What was seen, as Markdown."""
        rows = {
            kind.name: row(kind.words, self.found[kind]) for kind in KINDS if kind in self.found
        }
        sockets = [one for name, one in rows.items() if name == "websocket"]
        rest = [one for name, one in rows.items() if name != "websocket"]
        said = (
            f"{len(rows)} kinds on one product, up to {self.together} at the same time: "
            f"{self.took_s / 60:.1f} minutes."
        )
        tables = [page.table(h, r) for h, r in ((HEAD, rest), (WEBSOCKET_HEAD, sockets)) if r]
        return [said, *tables]


def run(count: int, kinds: Sequence[Kind] = KINDS, together: int = TOGETHER) -> Outcome:
    """So many cycles of each of these kinds; all projects are there before the first begins."""
    outcome = Outcome(count, min(together, len(kinds)))
    knobs = {**KNOBS, "concurrency": max(2, together)}
    with hosts.base_image() as base, hosts.serving(base, **knobs) as host:
        made = [kind.make(host) for kind in kinds]
        begun = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(together) as pool:
            doing = {
                pool.submit(kind.measure, of, count): kind
                for kind, of in zip(kinds, made, strict=True)
            }
            for one in concurrent.futures.as_completed(doing):
                note(outcome, doing[one], one)
        outcome.took_s = time.monotonic() - begun
    return outcome


def note(
    outcome: Outcome, kind: Kind, done: concurrent.futures.Future[list[cycles.Cycle]]
) -> None:
    """Keep what came of a kind, and say it."""
    problem = done.exception()
    if problem is not None:
        outcome.broken[kind.name] = f"{type(problem).__name__}: {problem}"
        print(f"{kind.name} broke: {outcome.broken[kind.name]}", file=sys.stderr, flush=True)
        return
    outcome.found[kind] = done.result()
    print(*row(kind.words, outcome.found[kind]), sep=" | ", file=sys.stderr, flush=True)


def main() -> int:
    """Measure, print and judge."""
    by_name = {kind.name: kind for kind in KINDS}
    parser = argparse.ArgumentParser(prog="python -m tests.soak.zero", description=__doc__)
    parser.add_argument("--cycles", type=int, default=100, help="of each kind")
    parser.add_argument("--together", type=int, default=TOGETHER, help="kinds at the same time")
    parser.add_argument("--only", nargs="+", choices=by_name, default=list(by_name))
    parser.add_argument("--write", type=pathlib.Path)
    given = parser.parse_args()
    outcome = run(given.cycles, [by_name[name] for name in given.only], given.together)
    print(*outcome.parts, sep="\n\n")
    if given.write:
        only = f" --only {' '.join(given.only)}" if len(given.only) < len(KINDS) else ""
        command = f"./dev soak zero --cycles {given.cycles} --together {given.together}{only}"
        page.write(given.write, "zero", command, outcome.parts)
    for name in outcome.bad:
        print(f"NOT GOOD: {name} {outcome.broken.get(name, '')}", file=sys.stderr)
    return 1 if outcome.bad else 0


if __name__ == "__main__":
    sys.exit(main())
