"""A build's log: one file, written line by line, bounded, free of control sequences."""

import collections
import contextlib
import os
import pathlib
import re
import threading
import time
from collections.abc import Callable
from typing import BinaryIO

Sink = Callable[[str], None]

# CSI, OSC and single-character escapes (ECMA-48), then every other control character but tab.
_CONTROL = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])"
    r"|[\x00-\x08\x0b-\x1f\x7f]"
)


# The last lines of a phase, for the card of a build that fails.
_LAST = 20


def clean(line: str) -> str:
    """A line without control sequences and without space at its end."""
    return _CONTROL.sub("", line).rstrip()


def path(folder: pathlib.Path, build: int) -> pathlib.Path:
    """Where the log of a build is."""
    return folder / f"{build}.log"


def _opened(file: pathlib.Path) -> BinaryIO:
    """The file; nowhere if there is no room for another one."""
    try:
        return file.open("ab", buffering=0)
    except OSError:
        return pathlib.Path(os.devnull).open("ab", buffering=0)


class BuildLog:
    """Writes one log; after ``limit`` bytes it says so once and drops the rest.

    ``redact`` takes out what nobody may read. The last lines of a phase are in ``last``, also
    when the log has overflowed.
    """

    def __init__(self, file: pathlib.Path, limit: int, redact: Callable[[str], str] = str) -> None:
        self.redact = redact
        self._file = _opened(file)
        self._room = limit - self._file.tell()
        self._lock = threading.Lock()
        self._last: collections.deque[str] = collections.deque(maxlen=_LAST)

    def __call__(self, line: str) -> None:
        """Append a line."""
        text = self.redact(clean(line))
        data = f"{text}\n".encode(errors="replace")
        with self._lock:
            self._last.append(text)
            if self._room <= 0:
                return
            self._room -= len(data)
            if self._room <= 0:
                data += b"[the log is longer than its limit, the rest is not kept]\n"
            with contextlib.suppress(OSError):  # a full disk must not stop a roll-back
                self._file.write(data)

    def headline(self, text: str) -> None:
        """Append a line of our own."""
        self(f"== {time.strftime('%H:%M:%S', time.gmtime())} {text}")
        with self._lock:
            self._last.clear()

    @property
    def last(self) -> tuple[str, ...]:
        """The last lines since the last headline."""
        with self._lock:
            return tuple(line for line in self._last if line)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
