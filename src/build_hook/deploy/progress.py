"""How far a build is, read from the end of its log: BuildKit numbers the steps of each stage."""

import dataclasses
import pathlib
import re

# "#7 [build 2/5] RUN npm ci", "#5 [2/4] COPY . ."; not "#3 [internal] load build context".
_STEP = re.compile(r"^#\d+ \[(?:(?P<stage>\S+) )?\s*(?P<step>\d+)/(?P<steps>\d+)\] (?P<what>.+)$")
_TAIL = 2**21
_LONGEST = 80


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """The step that began last: its number in its stage, and what it does."""

    stage: str | None
    step: int
    steps: int
    what: str

    def __str__(self) -> str:
        where = f"{self.stage}, " if self.stage else ""
        return f"{where}step {self.step}/{self.steps} {self.what}"


def of_log(file: pathlib.Path) -> Progress | None:
    """The newest step in a log; None before the first, or without a log."""
    for line in reversed(_last_lines(file)):
        found = _STEP.match(line)
        if found:
            return Progress(
                found["stage"], int(found["step"]), int(found["steps"]), _short(found["what"])
            )
    return None


def _last_lines(file: pathlib.Path) -> list[str]:
    try:
        with file.open("rb") as log:
            log.seek(max(0, file.stat().st_size - _TAIL))
            return log.read().decode(errors="replace").splitlines()
    except OSError:
        return []


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
