"""How long hooks took, as a table."""

import dataclasses
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")
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


def report(times: Iterable[HookTime]) -> str:
    """The table, and the runs that took longest, actions among them."""
    runs = sorted(times, key=lambda each: each.seconds, reverse=True)
    longest = ", ".join(f"{r.charm} {r.hook} {r.seconds:.1f} s" for r in runs[:12])
    return f"{table(runs)}\nlongest, by the clock: {longest}"


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
