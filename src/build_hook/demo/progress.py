"""What the user sees while the demo runs: a live table on a terminal, lines elsewhere."""

import contextlib
import dataclasses
from collections.abc import Generator

import rich.console
import rich.live
import rich.text

from build_hook.demo import report, traffic


@dataclasses.dataclass(slots=True)
class _Row:
    project: str
    commit: str
    phase: str
    done: report.Push | None = None


class Progress:
    """Told what happens, shows it."""

    def __init__(self, console: rich.console.Console, total: int) -> None:
        self._console = console
        self._total = total
        self._rows: list[_Row] = []
        self._step = ""
        self._load: traffic.Traffic | None = None

    @contextlib.contextmanager
    def showing(self) -> Generator[None]:
        """Keep the live table on the terminal; nothing of it stays."""
        if not self._console.is_terminal:
            yield
            return
        with rich.live.Live(
            console=self._console,
            get_renderable=self.render,
            refresh_per_second=8,
            transient=True,
        ):
            yield

    def step(self, text: str) -> None:
        """Something else is being done."""
        self._step = text
        self._line(text)

    def loaded(self, load: traffic.Traffic) -> None:
        """The load runs from now on."""
        self._load = load

    def pushed(self, project: str, commit: str) -> None:
        """A push has ended, its deploy begins."""
        self._rows.append(_Row(project, commit, "pushed"))
        self.step(f"Push {len(self._rows)} of {self._total}: {project} {commit[:7]}")

    def phase(self, name: str) -> None:
        """The deploy of the last push enters a phase."""
        self._rows[-1].phase = name
        self._line(f"  {name}{self._so_far()}")

    def done(self, push: report.Push) -> None:
        """The last push has come to its end."""
        self._rows[-1].done = push

    def render(self) -> rich.console.Group:
        """What stands on the terminal now."""
        table = report.new_table()
        for row in self._rows:
            outcome = row.done.outcome if row.done else f"{row.phase}…"
            table.add_row(*report.row(row.project, row.commit, outcome, row.done))
        status = rich.text.Text(f"{self._step}{self._so_far()}", style="bold")
        return rich.console.Group(table, status) if self._rows else rich.console.Group(status)

    def _line(self, text: str) -> None:
        if not self._console.is_terminal:
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _so_far(self) -> str:
        if self._load is None:
            return ""
        seen = self._load.window()
        return f" · {seen.requests} requests, {seen.failed} failed"
