"""A build after a one-line change: the original's, which never used a cache, and ours.

Both build the same repository, turn by turn: an image with a layer of dependencies, which writes
packages of 4 MiB and checks each several times, and the application on top, of which one line
changes. The original's time is its ``docker build`` with no cache; ours is the whole phase
*building*: checkout, BuildKit, and the watch over it.

``python -m benchmarks.warm [--rounds 5] [--packages 20] [--write FILE]``
"""

import argparse
import contextlib
import dataclasses
import pathlib
import statistics
import sys
import time
from collections.abc import Callable

import docker

from benchmarks import cycle, original, page, table
from build_hook.demo import baseimage, show, stage, workcopy
from build_hook.store import builds

TARGET = 5.0
DOCKERFILE = """\
ARG BASE
FROM ${BASE}
COPY requirements.txt /requirements.txt
RUN while read name rounds; do \\
      dd if=/dev/urandom of=/$name bs=1048576 count=4 2>/dev/null; \\
      n=0; while [ $n -lt $rounds ]; do sha256sum /$name; n=$((n+1)); done; \\
    done < /requirements.txt
COPY serve.sh /serve.sh
COPY version.txt /www/index.html
CMD ["/bin/sh", "/serve.sh"]
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Round:
    """Both once, in seconds."""

    original: float
    ours: float

    @property
    def ratio(self) -> float:
        """How many times faster ours is."""
        return self.original / self.ours


def prepare(copy: workcopy.WorkCopy, packages: int) -> None:
    """The demo's application, on a layer of dependencies."""
    copy.fill(baseimage.APPS / "web")
    copy.write("requirements.txt", "".join(f"package-{n} 8\n" for n in range(packages)))
    copy.write("Dockerfile", DOCKERFILE)


def ours(on: stage.Stage, side: cycle.Ours, version: str) -> float:
    """Push one line; how long the phase building took."""
    commit, _ = cycle.push(on.copies["web"], version)
    side.wait(commit)
    build = show.build_of(commit, on.builds.recent("web"))
    assert build
    at = dict(on.builds.phases(build.id))
    return at[builds.Phase.STARTING] - at[builds.Phase.BUILDING]


def theirs(hook: original.Original, copy: workcopy.WorkCopy, version: str) -> float:
    """The same line, and the original's build."""
    copy.write("version.txt", f"{version}\n")
    begun = time.monotonic()
    hook.build(copy.folder)
    return time.monotonic() - begun


def run(rounds: int, packages: int, say: Callable[[str], None]) -> list[Round]:
    """Turn by turn, after a first build of each."""
    with (
        stage.set_up(say) as on,
        contextlib.closing(docker.DockerClient(base_url=on.docker.host)) as client,
    ):
        prepare(on.copies["web"], packages)
        side = cycle.Ours(on)
        hook = original.Original(
            client=client,
            tag=f"build-hook-benchmark/{on.docker.instance}",
            target=8000,
            published=0,
            args={"BASE": on.base},
            labels={baseimage.LABEL: on.docker.instance},
        )
        say(f"first build, nothing in the cache: {ours(on, side, 'first'):.1f} s")
        found: list[Round] = []
        for number in range(rounds):
            slow = theirs(hook, on.copies["web"], f"theirs-{number}")
            found.append(Round(slow, ours(on, side, f"ours-{number}")))
            say(f"round {number + 1} of {rounds}: {found[-1].ratio:.1f} times")
        return found


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--packages", type=int, default=20, help="in the dependency layer")
    parser.add_argument("--write", type=pathlib.Path)
    given = parser.parse_args()
    found = run(given.rounds, given.packages, lambda text: print(text, file=sys.stderr))
    ratio = statistics.median(r.ratio for r in found)
    text = page.table(
        ("after a one-line change", "seconds, median [least-most]"),
        [
            ("the original: built with no cache", table.spread([r.original for r in found], 2)),
            ("ours: the phase building", table.spread([r.ours for r in found], 2)),
            ("times faster", table.spread([r.ratio for r in found], 1)),
        ],
    )
    verdict = f"Aim: at least {TARGET:g} times: {'met' if ratio >= TARGET else 'MISSED'}."
    print(text, verdict, sep="\n\n")
    if given.write:
        command = f"./dev bench warm --rounds {given.rounds} --packages {given.packages}"
        page.write(given.write, "warm", command, [text, verdict])
    return 0 if ratio >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
