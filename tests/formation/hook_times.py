"""How long hooks took: as a table, and which kinds of them take too long."""

import collections
import dataclasses
import os
import statistics
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")
MOST = 1.0  # seconds of processor time, which depends less on what else runs than the clock does
# So many starts of Python with ops and pydantic were as long on the machine of the first table: on
# a slow one, or where others use the same cores, a hook may take as many.
STARTS = 5
# They may install packages.
_LONG = frozenset({"install", "data-storage-attached", "upgrade-charm"})
_BUSY = 2.0  # load for each processor: above it others slow down even what is counted here
_HEAD = """\
| charm | hooks | processor, median | 90 % under | most | wall, median | hook commands, median |
| --- | --- | --- | --- | --- | --- | --- |"""


@dataclasses.dataclass(frozen=True)
class HookTime:
    """One run of a charm; ``processor`` is None where that is not known."""

    charm: str
    hook: str
    is_action: bool
    seconds: float
    processor: float | None
    commands: int
    start: float | None = None
    """What an empty charm took at that time: Python with ops and pydantic."""
    load: float = dataclasses.field(
        default_factory=lambda: os.getloadavg()[0] / (os.cpu_count() or 1)
    )


def report(times: Iterable[HookTime]) -> str:
    """The table, and the runs that took longest, actions among them."""
    runs = sorted(times, key=lambda each: each.seconds, reverse=True)
    longest = ", ".join(f"{r.charm} {r.hook} {r.seconds:.1f} s" for r in runs[:12])
    busy = sum(each.load >= _BUSY for each in runs)
    hooks = [each for each in runs if not each.is_action]
    over = sum(each.seconds > MOST for each in hooks)
    return (
        f"{table(runs)}\nlongest, by the clock: {longest}\n"
        f"{over} of {len(hooks)} hooks took longer than {MOST:.0f} s by the clock\n"
        f"{busy} of {len(runs)} runs of a charm came while the machine was busy with other work"
    )


def beside(times: Iterable[HookTime], start: float) -> list[HookTime]:
    """The runs, with what an empty charm took then."""
    return [dataclasses.replace(each, start=start) for each in times]


def slow(times: Iterable[HookTime]) -> list[str]:
    """The kinds of hooks whose median is too long, by charm; runs on a busy machine do not count.

    What installs packages may take longer; so may an action, which waits for builds.
    """
    runs = list(times)
    usual = statistics.median([each.start for each in runs if each.start is not None] or [0.0])
    kinds: dict[tuple[str, str], list[HookTime]] = collections.defaultdict(list)
    for each in runs:
        counts = each.processor is not None and each.load < _BUSY
        if counts and not each.is_action and each.hook not in _LONG:
            kinds[each.charm, each.hook].append(each)
    return [found for kind in sorted(kinds) if (found := _excess(kind, kinds[kind], usual))]


def _excess(kind: tuple[str, str], runs: list[HookTime], usual: float) -> str | None:
    """By how much a kind of hook takes too long; None if it does not."""
    took = statistics.median(each.processor or 0 for each in runs)
    most = max(MOST, STARTS * statistics.median(max(each.start or 0, usual) for each in runs))
    if took <= most:
        return None
    return f"{' '.join(kind)} {took:.2f} s, {most:.2f} s would do (median of {len(runs)})"


def table(times: Iterable[HookTime]) -> str:
    """The hooks by charm; actions are no part of it, since they wait for builds."""
    hooks = [each for each in times if not each.is_action]
    lines = [_row([h for h in hooks if h.charm == charm]) for charm in charms(hooks)]
    return "\n".join([_HEAD, *lines])


def charms(hooks: Iterable[HookTime]) -> list[str]:
    """The charms that ran."""
    return sorted({each.charm for each in hooks})


def _row(of: list[HookTime]) -> str:
    busy = sorted(each.processor or 0 for each in of)
    most = max(of, key=lambda each: each.processor or 0)
    cells = (
        of[0].charm, str(len(of)), f"{_middle(busy):.2f} s", f"{busy[len(of) * 9 // 10]:.2f} s",
        f"{busy[-1]:.2f} s ({most.hook})", f"{_middle(sorted(h.seconds for h in of)):.2f} s",
        str(_middle(sorted(h.commands for h in of))),
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _middle(ordered: list[T]) -> T:
    return ordered[len(ordered) // 2]
