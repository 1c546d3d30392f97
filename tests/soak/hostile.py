"""Hostile builds beside an application that serves: how each ends, and what its users notice.

``python -m tests.soak.hostile --rounds 5 --seconds 6`` prints the table; ``--write FILE`` keeps
it. Each kind of build is pushed again and again for that long, in turn with quiet stretches; a
stretch is compared with the quiet ones before and after it, and the median of the rounds counts.
The last kind is harmless: what an ordinary build costs. Limits of the project: half a processor,
256 MiB, 256 processes, 8 s, 16 MiB of files; ``--default-limits`` leaves the first three to what
the product does by itself.
"""

import argparse
import dataclasses
import itertools
import pathlib
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks import page, table
from build_hook.store import builds
from tests.functional import host as hosts
from tests.soak import users

MOST = 1.5  # times the p99 of quiet
LIMITS: dict[str, Any] = {"cpus": 0.5, "memory": "256m", "pids": 256}
TIMEOUT, CONTEXT_MB = 8, 16
HEAD = "ARG BASE\nFROM ${BASE}\n"
TAIL = "\nCOPY serve.sh /serve.sh\nCMD /serve.sh\n"

Prepare = Callable[[hosts.Project], str]


def runs(command: str) -> Prepare:
    """A Dockerfile with one step that no cache knows."""
    return lambda project: f"{HEAD}RUN : {uuid.uuid4()}\nRUN {command}{TAIL}"


def side_by_side(command: str) -> Prepare:
    """Eight stages, each with that step, that BuildKit runs at once."""

    def made(project: hosts.Project) -> str:
        stages = (
            f"FROM ${{BASE}} AS s{n}\nRUN : {uuid.uuid4()}\nRUN {command}; : {n}\n"
            for n in range(8)
        )
        copies = "".join(f"COPY --from=s{n} /bin/sh /s{n}\n" for n in range(8))
        return f"ARG BASE\n{''.join(stages)}FROM ${{BASE}}\n{copies}"

    return made


def link_out(project: hosts.Project) -> str:
    link = project.copy.folder / "hostname"
    link.unlink(missing_ok=True)
    link.symlink_to("/etc/hostname")
    return f"{HEAD}RUN : {uuid.uuid4()}\nCOPY hostname /hostname{TAIL}"


def large(project: hosts.Project) -> str:
    (project.copy.folder / "large").write_bytes(bytes((CONTEXT_MB + 1) * 2**20))
    return f"{HEAD}COPY large /large{TAIL}"


def strange(project: hosts.Project) -> str:
    return f"# syntax=evil.example/builder\n{HEAD}{TAIL}"


HARMLESS = "(an ordinary build that fails)"
KINDS: dict[str, Prepare] = {
    "fork bomb": runs("b() { b | b & }; b; sleep 60"),
    "memory hog": runs("x=0123456789abcdef; while :; do x=$x$x; done"),
    "memory hogs, 8 stages": side_by_side("dd if=/dev/zero of=/dev/shm/x bs=1M count=60; sleep 5"),
    "endless loop": runs("while :; do :; done"),
    "endless loops, 8 stages": side_by_side("while :; do :; done"),
    "endless log": runs("while :; do echo all work and no play; done"),
    "endless sleep": runs("sleep 100000"),
    "link out of the context": link_out,
    "more files than allowed": large,
    "a builder of its own": strange,
    HARMLESS: runs("false"),
}


Took = list[float | None]


def p99(took: Took) -> float:
    """In milliseconds, of the answers that came."""
    answers = sorted(one for one in took if one is not None)
    return answers[int(len(answers) * 0.99)] * 1000 if answers else 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """One kind of build: how it ended, and what users saw, p99 of each stretch in milliseconds.

    There is one quiet stretch more than there are rounds.
    """

    kind: str
    builds: int
    longest: float
    ended: str
    requests: int
    failed: int
    quiet: tuple[float, ...]
    meanwhile: tuple[float, ...]

    @property
    def ratios(self) -> list[float]:
        """Each stretch with builds to the mean of its quiet neighbours."""
        pairs = itertools.pairwise(self.quiet)
        return [
            2 * p99 / (before + after)
            for p99, (before, after) in zip(self.meanwhile, pairs, strict=True)
        ]

    @property
    def ratio(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.ratios)

    @property
    def is_good(self) -> bool:
        """Whether nothing failed, all builds ended, and nobody waited much longer."""
        return not self.failed and self.ratio <= MOST and bool(self.ended)


def measure(
    kind: str,
    prepare: Prepare,
    served: hosts.Project,
    hostile: hosts.Project,
    rounds: int,
    seconds: float,
) -> Seen:
    """Quiet stretches, and stretches with one of these builds after the other, in turn."""
    quiet, meanwhile = [_quiet(served, seconds)], list[Took]()
    ended: list[builds.Build] = []
    for _ in range(rounds):
        took, end = Took(), time.monotonic() + seconds
        with users.asking(served.port, took):
            while True:
                ended.append(hostile.deploy(Dockerfile=prepare(hostile)))
                if time.monotonic() > end:
                    break
        meanwhile.append(took)
        quiet.append(_quiet(served, seconds))
    for name in ("large", "hostname"):
        (hostile.copy.folder / name).unlink(missing_ok=True)
    wrong = [build for build in ended if build.phase is not builds.Phase.FAILED]
    reason = "" if wrong else (ended[-1].reason or "").removeprefix("building: ")
    return Seen(
        kind, len(ended), max((b.finished or 0) - b.created for b in ended),
        reason.partition(". ")[0], sum(len(took) for took in meanwhile),
        sum(took.count(None) for took in quiet + meanwhile),
        tuple(map(p99, quiet)), tuple(map(p99, meanwhile)),
    )  # fmt: skip


def _quiet(served: hosts.Project, seconds: float) -> Took:
    took = Took()
    with users.asking(served.port, took):
        time.sleep(seconds)
    return took


def run(
    kinds: Sequence[str], rounds: int, seconds: float, limits: dict[str, Any] | None = None
) -> list[Seen]:
    """All kinds on one host, whose application never changes."""
    with (
        hosts.base_image() as base,
        hosts.serving(base, min_free_mb=10, build_context_mb=CONTEXT_MB) as host,
    ):
        served = host.add("served")
        served.live()
        before = served.serving()
        chosen = LIMITS if limits is None else limits
        hostile = host.add("hostile", build={"limits": chosen, "timeout": TIMEOUT})
        hostile.live()
        found: list[Seen] = []
        for kind in kinds:
            with users.giving_way():  # who pushes, and the git host, have machines of their own
                found.append(measure(kind, KINDS[kind], served, hostile, rounds, seconds))
            print(*row(found[-1]), sep=" | ", file=sys.stderr, flush=True)
        assert served.serving() == before
        assert hostile.answers()
        return found


COLUMNS = (
    "build", "pushed", "longest, s", "each ended with", "requests", "failed", "p99 quiet, ms",
    "p99 meanwhile, ms", "ratio",
)  # fmt: skip


def row(seen: Seen) -> tuple[str, ...]:
    """A kind's line of the table."""
    return (
        seen.kind, str(seen.builds), f"{seen.longest:.1f}", seen.ended or "**not stopped**",
        str(seen.requests), str(seen.failed), table.spread(seen.quiet, 1),
        table.spread(seen.meanwhile, 1), table.spread(seen.ratios, 2),
    )  # fmt: skip


def overall(found: list[Seen]) -> str:
    """The verdict, in words."""
    ratios = sorted(seen.ratio for seen in found)
    return (
        f"Median ratio {statistics.median(ratios):.2f}, largest {ratios[-1]:.2f} (aim: at most "
        f"{MOST}); {sum(seen.failed for seen in found)} requests failed."
    )


def main() -> int:
    """Measure, print and judge."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.hostile", description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--rounds", type=int, default=5, help="stretches of each kind")
    parser.add_argument("--seconds", type=float, default=6, help="each stretch, at least")
    parser.add_argument("--default-limits", action="store_true")
    parser.add_argument("--write", type=pathlib.Path)
    given = parser.parse_args()
    limits = {} if given.default_limits else None
    found = run(given.kinds or list(KINDS), given.rounds, given.seconds, limits)
    text = page.table(COLUMNS, [row(seen) for seen in found])
    print(text, overall(found), sep="\n\n")
    if given.write:
        command = f"./dev soak hostile --rounds {given.rounds} --seconds {given.seconds:g}"
        command += " --default-limits" if given.default_limits else ""
        page.write(given.write, "hostile", command, [text, overall(found)])
    return 0 if all(seen.is_good for seen in found) else 1


if __name__ == "__main__":
    sys.exit(main())
