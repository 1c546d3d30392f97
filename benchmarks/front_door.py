"""The front door beside other receivers of webhooks, in one run, with one and the same push.

python -m benchmarks.front_door [--rounds 5] [--seconds 5] [--senders N…] [--python2 PATH]
    [--write FILE] [--json]

A real GitHub push of 8.8 KB, signed, with an id of its own each time. Ours verifies it, stores it
whole, queues a build and fsyncs before the answer; ``webhook`` (Debian's, by adnanh) verifies it
and starts ``/bin/true``; ``hooked`` 0.3 verifies nothing and waits for ``/bin/true``. In a round
everybody is asked once, in turn; ratios are those of one round. The load comes from wrk, on the
same machine.

*answered* is what wrk counts. ``webhook`` answers first and starts its commands later, without
bound, so *done* counts deliveries up to the moment when nothing is left to do.
"""

import argparse
import collections
import contextlib
import dataclasses
import itertools
import json
import pathlib
import statistics
import sys
import time
from collections.abc import Callable, Generator, Sequence
from typing import Any

from benchmarks import page, peers, signed_push, table, web_stage, wrk
from build_hook import project

OURS, WEBHOOK, HOOKED = "build-hook", "webhook", "hooked"
SENDERS = (1, 8, 64)
AIM = 1.5
PUSH = pathlib.Path(__file__).parents[1] / "tests/data/webhooks"
FIGURES = ("rate", "done", "p50", "p99", "cpu")
PATHS = {OURS: "/hooks/hello", WEBHOOK: "/hooks/push", HOOKED: "/"}

Cell = tuple[bool, int]
Rounds = dict[str, list[wrk.Figures]]


def push() -> dict[str, Any]:
    """The entry of the recorded push among the tests' deliveries."""
    entries = json.loads((PUSH / "index.json").read_text(encoding="utf-8"))["fixtures"]
    return next(entry for entry in entries if entry["id"] == "github-push-new-branch")


def deliveries() -> dict[str, wrk.Delivery]:
    """The push as each receiver gets it: only the path differs."""
    body = (PUSH / push()["body_file"]).read_bytes()
    headers = signed_push.headers(body, "")
    del headers["X-GitHub-Delivery"]
    return {name: wrk.Delivery(path, headers, body) for name, path in PATHS.items()}


@contextlib.contextmanager
def receivers(python2: str | None) -> Generator[dict[str, tuple[int, int]]]:
    """Everybody, fresh: port and pid by name."""
    change = push()["expected"]["changes"][0]
    entry = project.Project(
        name="hello",
        repository="https://github.com/Codertocat/Hello-World.git",
        ref=change["name"],
        webhook_secrets=("benchmark",),
    )
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(web_stage.server(web_stage.OURS, more=[entry]))
        started = {OURS: (ours.port, ours.pid)}
        started[WEBHOOK] = stack.enter_context(peers.webhook(change["ref"]))
        if python2:
            hooked = peers.hooked(python2, "Hello-World", change["name"])
            started[HOOKED] = stack.enter_context(hooked)
        yield started


class Race:
    """All cells of the table: kept and new connections, few and many senders."""

    def __init__(
        self, rounds: int, seconds: float, python2: str | None, senders: Sequence[int] = SENDERS
    ) -> None:
        self.names = [OURS, WEBHOOK, *([HOOKED] if python2 else [])]
        self.cells: dict[Cell, Rounds] = {}
        self.memory: dict[str, list[float]] = collections.defaultdict(list)
        self._senders = senders
        self._rounds = rounds
        self._seconds = seconds
        self._python2 = python2
        self._deliveries = deliveries()

    def run(self, say: Callable[[str], None]) -> None:
        """Measure every cell; receivers start afresh for each."""
        for cell in itertools.product((True, False), self._senders):
            with receivers(self._python2) as started:
                self.cells[cell] = self._cell(cell, started)
                for name, (_, pid) in started.items():
                    self.memory[name].append(peers.memory(pid))
            say(f"{describe(cell)}: {self.ratio(cell, WEBHOOK)} x webhook")

    def ratios(self, cell: Cell, peer: str, figure: str = "rate") -> list[float]:
        """Ours to the peer's, round by round."""
        pairs = zip(self.cells[cell][OURS], self.cells[cell][peer], strict=True)
        return [getattr(mine, figure) / getattr(other, figure) for mine, other in pairs]

    def ratio(self, cell: Cell, peer: str, figure: str = "rate") -> str:
        """The same in words."""
        return table.spread(self.ratios(cell, peer, figure), 2)

    def _cell(self, cell: Cell, started: dict[str, tuple[int, int]]) -> Rounds:
        found: Rounds = {name: [] for name in self.names}
        for name in self.names:
            self._load(name, cell, started[name], min(1, self._seconds))
        for number in range(self._rounds):
            turn = number % len(self.names)
            for name in (*self.names[turn:], *self.names[:turn]):
                found[name].append(self._load(name, cell, started[name], self._seconds))
        return found

    def _load(
        self, name: str, cell: Cell, started: tuple[int, int], seconds: float
    ) -> wrk.Figures:
        keep_alive, senders = cell
        port, pid = started
        before, begun = peers.ticks(pid), time.monotonic()
        # hooked speaks HTTP/1.0: each of its connections ends with the answer
        figures = wrk.load(
            port,
            self._deliveries[name],
            senders=senders,
            seconds=seconds,
            keep_alive=keep_alive and name != HOOKED,
        )
        if figures.bad and name == OURS:
            raise RuntimeError(f"{figures.bad} pushes were not accepted")
        idle_since = peers.settle(pid)  # what is still being done would slow the next one down
        count = max(1, figures.rate * seconds)
        spent = (peers.ticks(pid) - before) * 10 / count
        return dataclasses.replace(figures, cpu=spent, done=count / (idle_since - begun))


def describe(cell: Cell) -> str:
    """A cell in words."""
    keep_alive, senders = cell
    return f"{'kept' if keep_alive else 'new'} connections, {senders} senders"


HEAD = ("connections", "senders", "", "answered/s", "done/s", "p50 ms", "p99 ms", "CPU ms", "bad")
RATIOS = ("connections", "senders", "ours to", "answered/s", "done/s", "p50", "p99", "CPU")


def rows(race: Race) -> list[tuple[str, ...]]:
    """What each receiver did."""
    found: list[tuple[str, ...]] = []
    for (keep_alive, senders), by_name in race.cells.items():
        for name, rounds in by_name.items():
            found.append(
                (
                    "kept" if keep_alive else "new",
                    str(senders),
                    name,
                    table.spread([each.rate for each in rounds]),
                    table.spread([each.done for each in rounds]),
                    table.spread([each.p50 for each in rounds], 2),
                    table.spread([each.p99 for each in rounds], 1),
                    table.spread([each.cpu for each in rounds], 2),
                    str(sum(each.bad for each in rounds)),
                )
            )
    return found


def ratio_rows(race: Race) -> list[tuple[str, ...]]:
    """Ours to theirs, in paired rounds."""
    return [
        (
            "kept" if keep_alive else "new",
            str(senders),
            peer,
            *(race.ratio((keep_alive, senders), peer, name) for name in FIGURES),
        )
        for keep_alive, senders in race.cells
        for peer in race.names[1:]
    ]


def verdict(race: Race) -> str:
    """Whether the aim is met, in words."""
    words = [
        f"{describe(cell)}: {_met(race, cell, 'rate')} answered, {_met(race, cell, 'done')} done"
        for cell in race.cells
        if cell[1] == max(SENDERS)
    ]
    return f"Aim: at least {AIM} x the throughput of webhook at 64 senders. " + "; ".join(words)


def _met(race: Race, cell: Cell, figure: str) -> str:
    value = statistics.median(race.ratios(cell, WEBHOOK, figure))
    return f"{value:.2f} ({'met' if value >= AIM else 'MISSED'})"


def memory(race: Race) -> str:
    """What the processes held after the load."""
    shares = (f"{name} {table.spread(values)}" for name, values in race.memory.items())
    return (
        f"Memory after the load, all processes of each together, PSS in MiB: {', '.join(shares)}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5, help="each receiver, each round")
    parser.add_argument("--senders", type=int, nargs="+", default=SENDERS)
    parser.add_argument("--python2", help="a Python 2.7, for hooked")
    parser.add_argument("--write", type=pathlib.Path, help="keep the tables in this page")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    wrk.require()
    python2 = peers.python2(given.python2)
    if python2 is None:
        print("There is no Python 2.7 with pip here: hooked is missing", file=sys.stderr)
    race = Race(given.rounds, given.seconds, python2, given.senders)
    race.run(lambda text: print(text, file=sys.stderr, flush=True))
    if given.json:
        table.show_json({describe(cell): _values(by) for cell, by in race.cells.items()})
        return
    table.show("Signed GitHub pushes of 8.8 KB, median [least-most]", HEAD, rows(race))
    table.show("Ratios of paired rounds", RATIOS, ratio_rows(race))
    words = [verdict(race), memory(race)]
    if python2 is None:
        words.append("hooked is missing: this machine has no Python 2.7 with pip.")
    print(*words, sep="\n")
    if given.write:
        command = (
            f"python -m benchmarks.front_door --rounds {given.rounds} --seconds {given.seconds:g} "
            f"--senders {' '.join(map(str, given.senders))}"
        )
        block = [page.table(HEAD, rows(race)), page.table(RATIOS, ratio_rows(race)), *words]
        page.write(given.write, "front-door", command, block)


def _values(by_name: Rounds) -> dict[str, Any]:
    return {
        name: {
            figure: table.summary([getattr(each, figure) for each in rounds]) for figure in FIGURES
        }
        for name, rounds in by_name.items()
    }


if __name__ == "__main__":
    main()
