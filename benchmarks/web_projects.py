"""Whether an answer takes longer with many projects, also while the registry changes.

python -m benchmarks.web_projects [--few 10] [--many 10000] [--rate 100] [--rounds 5] [--json]

Signed pushes at a steady rate, to all projects in turn; few and many in every round, each on a
fresh server. A third run changes one of the many projects every two seconds.
"""

import argparse
import pathlib
import statistics

from benchmarks import page, table, web_latency

AIM = 1.2
EVERY = 2.0
HEAD = ("", "p50 ms", "p99 ms", "longest ms", "not accepted")


def run(
    few: int, many: int, rate: int, seconds: float, rounds: int
) -> list[list[web_latency.Round]]:
    """Rounds of few, many, and many that change."""
    kinds = ((few, None), (many, None), (many, EVERY))
    found: list[list[web_latency.Round]] = [[] for _ in kinds]
    for number in range(rounds):
        order = range(len(kinds)) if number % 2 else reversed(range(len(kinds)))
        for kind in order:
            projects, changes = kinds[kind]
            found[kind].append(web_latency.measure(rate, seconds, projects, changes))
    return found


def rows(found: list[list[web_latency.Round]], few: int, many: int) -> list[tuple[str, ...]]:
    """The table."""
    names = (f"{few} projects", f"{many} projects", f"{many}, one changes every {EVERY:g} s")
    return [
        (
            name,
            table.spread([each.p50 for each in rounds], 2),
            table.spread([each.p99 for each in rounds], 2),
            table.spread([each.longest for each in rounds], 1),
            str(sum(each.failed for each in rounds)),
        )
        for name, rounds in zip(names, found, strict=True)
    ]


def ratios(found: list[list[web_latency.Round]], name: str) -> list[float]:
    """Many to few, round by round."""
    pairs = zip(found[1], found[0], strict=True)
    return [getattr(many, name) / getattr(few, name) for many, few in pairs]


def verdict(found: list[list[web_latency.Round]]) -> str:
    """The paired ratios against the aim."""
    p99 = ratios(found, "p99")
    met = "met" if statistics.median(p99) <= AIM else "MISSED"
    return (
        f"Many to few, paired: p50 {table.spread(ratios(found, 'p50'), 2)}, "
        f"p99 {table.spread(p99, 2)}. Aim: at most {AIM} for the p99: {met}."
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", type=int, default=10)
    parser.add_argument("--many", type=int, default=10_000)
    parser.add_argument("--rate", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", type=pathlib.Path, help="keep the table in this page")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = run(given.few, given.many, given.rate, given.seconds, given.rounds)
    lines = rows(found, given.few, given.many)
    if given.json:
        names = ("few", "many", "changing")
        table.show_json(
            {
                name: table.summary([r.p99 for r in each])
                for name, each in zip(names, found, strict=True)
            }
            | {"ratio": table.summary(ratios(found, "p99"))}
        )
        return
    title = f"Signed pushes at {given.rate}/s for {given.seconds:g} s, {given.rounds} rounds"
    table.show(title, HEAD, lines)
    print(verdict(found))
    if given.write:
        command = (
            f"python -m benchmarks.web_projects --rate {given.rate} "
            f"--seconds {given.seconds:g} --rounds {given.rounds}"
        )
        page.write(given.write, "projects", command, [page.table(HEAD, lines), verdict(found)])


if __name__ == "__main__":
    main()
