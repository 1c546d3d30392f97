"""The folder of build logs, within its bounds of time and room."""

import contextlib
import dataclasses
import pathlib
from collections.abc import Collection

_DAY = 86_400


@dataclasses.dataclass(frozen=True, slots=True)
class Log:
    """One file; ``at`` is when it was written to last, in Unix seconds."""

    path: pathlib.Path
    at: float
    size: int


def forget_old(
    folder: pathlib.Path, *, before: float, most_bytes: int, keep: Collection[int]
) -> list[Log]:
    """Remove logs that are too old, and the oldest of too many; those of ``keep`` stay."""
    logs = _read(folder)
    total = sum(log.size for log in logs)
    gone: list[Log] = []
    for log in sorted(logs, key=lambda log: log.at):
        if log.at >= before and total <= most_bytes:
            break
        if int(log.path.stem) in keep:
            continue
        log.path.unlink(missing_ok=True)
        total -= log.size
        gone.append(log)
    return gone


def _read(folder: pathlib.Path) -> list[Log]:
    found: list[Log] = []
    for path in folder.glob("*.log"):
        if path.stem.isdigit():
            with contextlib.suppress(FileNotFoundError):  # a build's end forgets some as well
                stat = path.stat()
                found.append(Log(path, stat.st_mtime, stat.st_size))
    return found
