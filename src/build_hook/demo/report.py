"""What the demo found out: values, the JSON object and the table."""

import dataclasses
from typing import Any

import rich.box
import rich.table

from build_hook.demo import traffic


@dataclasses.dataclass(frozen=True, slots=True)
class Push:
    """One push and what came of it."""

    project: str
    message: str
    commit: str
    outcome: str
    reason: str | None
    build_s: float | None
    push_to_live_s: float | None
    seen: traffic.Window

    def as_dict(self) -> dict[str, Any]:
        """The push in the words of ``--json``."""
        return {
            "project": self.project,
            "commit": self.commit,
            "outcome": self.outcome,
            "reason": self.reason,
            "build_s": self.build_s,
            "push_to_live_s": self.push_to_live_s,
            **dataclasses.asdict(self.seen),
        }


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """The whole demo. ``faults`` says in words all that was not as it should be."""

    pushes: tuple[Push, ...]
    seen: traffic.Window
    failures: dict[str, int]
    reopened: int
    served_broken: bool
    live: dict[str, str | None]
    faults: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nobody noticed, and the last commits serve."""
        return not self.faults

    def as_dict(self) -> dict[str, Any]:
        """The object that ``--json`` prints."""
        return {
            "ok": self.ok,
            "pushes": [push.as_dict() for push in self.pushes],
            **dataclasses.asdict(self.seen),
            "failures": self.failures,
            "reopened": self.reopened,
            "served_broken": self.served_broken,
            "live": self.live,
            "faults": self.faults,
        }

    def remarks(self) -> list[str]:
        """Why pushes did not go live, in words."""
        return [
            f"{push.project} {push.commit[:7]} {push.outcome}: {push.reason}"
            for push in self.pushes
            if push.push_to_live_s is None
        ]

    def table(self) -> rich.table.Table:
        """The table for people."""
        table = new_table()
        for push in self.pushes:
            table.add_row(*row(push.project, push.commit, push.outcome, push))
        table.add_section()
        table.add_row("all", "", "", "", *_counts(self.seen), "ok" if self.ok else "NOT OK")
        return table


def new_table() -> rich.table.Table:
    """The table's head."""
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD)
    for name in ("push", "commit"):
        table.add_column(name, no_wrap=True)
    for name in ("build s", "push-to-live s", "requests", "failed", "longest gap ms"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("outcome")
    return table


def row(project: str, commit: str, outcome: str, push: Push | None = None) -> list[str]:
    """One push in the table; with its figures, if it has ended."""
    figures = ["", "", "", "", ""]
    if push is not None:
        figures = [_seconds(push.build_s), _seconds(push.push_to_live_s), *_counts(push.seen)]
    return [project, commit[:7], *figures, outcome]


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _counts(seen: traffic.Window) -> list[str]:
    return [str(seen.requests), str(seen.failed), str(seen.longest_gap_ms)]
