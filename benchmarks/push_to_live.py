"""Push-to-live against building and starting by hand, for an image that builds in about 5 s.

By hand: ``docker build`` (cached) and ``docker run`` until the HTTP probe answers. Ours: from
the end of ``git push`` to the first answer of the new version at the published port.

``python -m benchmarks.push_to_live [--rounds 7] [--seconds 5] [--json]``
"""

import argparse
import dataclasses
import http.client
import itertools
import statistics
import sys
import time
from collections.abc import Callable

from benchmarks import command, cycle, table
from build_hook.demo import baseimage, product, show, stage, traffic
from build_hook.store import builds

TARGET = 1.15


@dataclasses.dataclass(frozen=True, slots=True)
class Round:
    """Both ways once, in seconds; ``parts`` says where ours goes."""

    by_hand: float
    build_by_hand: float
    push_to_live: float
    parts: dict[str, float]

    @property
    def ratio(self) -> float:
        """Ours to by hand."""
        return self.push_to_live / self.by_hand


def prepare(on: stage.Stage, seconds: float) -> None:
    """The demo's HTTP application, with a step after COPY that every change repeats."""
    copy = on.copies["web"]
    copy.fill(baseimage.APPS / "web")
    path = copy.folder / "Dockerfile"
    lines = path.read_text(encoding="utf-8").splitlines()
    lines.insert(-1, f'RUN ["sleep", "{seconds:g}"]')
    copy.write("Dockerfile", "\n".join(lines) + "\n")


def by_hand(on: stage.Stage, version: str) -> tuple[float, float]:
    """Build and start a version with the docker command; until it answered, until it was built."""
    copy = on.copies["web"]
    copy.write("version.txt", f"{version}\n")
    tag = f"build-hook-benchmark/{on.docker.instance}:by-hand"
    port = product.free_port()
    begun = time.monotonic()
    command.Images(on.docker.instance, on.base).build(copy.folder, tag)
    built = time.monotonic()
    container = command.docker("run", "-d", "-p", f"127.0.0.1:{port}:8000", tag)
    while not answers(port, version):
        time.sleep(0.01)
    ready = time.monotonic()
    command.docker("rm", "-f", container)
    return ready - begun, built - begun


def answers(port: int, version: str) -> bool:
    """Whether a version answers the probe."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode().strip() == version
    except OSError:
        return False
    finally:
        connection.close()


def pushed(on: stage.Stage, side: cycle.Ours, version: str) -> tuple[float, dict[str, float]]:
    """Push a version; until it answered, and the parts of that."""
    with traffic.Traffic({"web": side.url}) as load:
        while load.answering("web") is None:
            time.sleep(0.05)
        commit, at = cycle.push(on.copies["web"], version)
        clock = time.time() - time.monotonic()
        seen = load.wait_for("web", version, cycle.PATIENCE)
        side.wait(commit)
        failed = load.window().failed
    if seen is None or failed:
        sys.exit(f"{version}: answered at {seen}, {failed} requests failed")
    build = show.build_of(commit, on.builds.recent("web"))
    assert build
    return seen - at, parts(on.builds.phases(build.id), at + clock, seen + clock)


def parts(
    phases: list[tuple[builds.Phase, float]], begun: float, ended: float
) -> dict[str, float]:
    """The stretches between the end of the push, the phases and the first answer."""
    marks = [("delivery", begun), *((str(name), at) for name, at in phases if at < ended)]
    ends = [*(at for _, at in marks[1:]), ended]
    return {name: end - at for (name, at), end in zip(marks, ends, strict=True)}


def run(rounds: int, seconds: float, say: Callable[[str], None]) -> list[Round]:
    """Both ways, one after the other, the first to go changing."""
    with stage.set_up(say) as on:
        prepare(on, seconds)
        side = cycle.Ours(on)
        commit, _ = cycle.push(on.copies["web"], "first")
        side.wait(commit)
        found: list[Round] = []
        for number in range(rounds):
            found.append(one_round(on, side, number))
            say(f"round {number + 1} of {rounds}: {found[-1].ratio:.3f}")
        return found


def one_round(on: stage.Stage, side: cycle.Ours, number: int) -> Round:
    """Both ways once."""
    if number % 2:
        live, where = pushed(on, side, f"pushed-{number}")
        hand, built = by_hand(on, f"by-hand-{number}")
    else:
        hand, built = by_hand(on, f"by-hand-{number}")
        live, where = pushed(on, side, f"pushed-{number}")
    return Round(hand, built, live, where)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=5, help="that the build step takes")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = run(given.rounds, given.seconds, lambda text: print(text, file=sys.stderr))
    columns = {
        "by hand: docker build": [r.build_by_hand for r in found],
        "by hand: build, run, first answer": [r.by_hand for r in found],
        "push-to-live": [r.push_to_live for r in found],
        "ratio": [r.ratio for r in found],
    }
    names = dict.fromkeys(itertools.chain.from_iterable(r.parts for r in found))
    where = {name: [r.parts.get(name, 0.0) for r in found] for name in names}
    if given.json:
        table.show_json(
            {name: table.summary(v) for name, v in columns.items()}
            | {"parts": {name: table.summary(v) for name, v in where.items()}}
        )
        return
    table.show(
        f"{given.rounds} rounds: seconds, median [min-max]",
        ("", "s"),
        [(name, table.spread(values, 2)) for name, values in columns.items()]
        + [(f"  of it {name}", table.spread(values, 2)) for name, values in where.items()],
    )
    verdict = "met" if statistics.median(columns["ratio"]) <= TARGET else "MISSED"
    print(f"Aim: a ratio of at most {TARGET}: {verdict}")


if __name__ == "__main__":
    main()
