"""The machine's journal as a source of lines: of our units, and of our containers.

Containers are there where they log by Docker's ``journald`` driver (the setting
``container_logs``); their names end with our instance.
"""

import contextlib
import json
import os
import re
import select
import shutil
import subprocess
from typing import Any

from build_hook.shipping import line

_UNITS = ("proxy", "worker", "web")
_ENGINES = ("docker.service", "containerd.service", "snap.docker.dockerd.service")
_CHUNK = 256 * 1024


class Journal:
    """Reads on where ``cursor`` says; None begins with what comes from now on."""

    def __init__(self, instance: str, cursor: str | None) -> None:
        self.cursor = cursor
        self._ours = re.compile(rf"(?P<project>[a-z0-9.-]+)-(\d+)-{re.escape(instance)}(-\d+)?$")
        self._process: subprocess.Popen[bytes] | None = None
        self._rest = b""
        self._last = 0

    def take(self, seconds: float) -> list[line.Line]:
        """What has come, waiting that long for the first line."""
        process = self._reader()
        if process is None or process.stdout is None:
            return []
        if not select.select([process.stdout], [], [], seconds)[0]:
            return []
        chunk = os.read(process.stdout.fileno(), _CHUNK)
        if not chunk:
            self.close()  # journald was restarted, or has no journal: another reader next time
            return []
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        return [found for text in whole if (found := self._line(text)) is not None]

    def close(self) -> None:
        """End the reader."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
        self._process, self._rest = None, b""

    # Private

    def _reader(self) -> subprocess.Popen[bytes] | None:
        if self._process is None and (program := shutil.which("journalctl")) is not None:
            # The last line before the first one is ours to know where that was.
            begin = ("--after-cursor", self.cursor, "--no-tail") if self.cursor else ("--lines=1",)
            units = [f"_SYSTEMD_UNIT=build-hook-{name}.service" for name in _UNITS]
            units += [f"_SYSTEMD_UNIT={name}" for name in _ENGINES]
            argv = (program, "--follow", "--output=json", "--quiet", *begin, *units)
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *argv],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        return self._process

    def _line(self, text: bytes) -> line.Line | None:
        try:
            entry: dict[str, Any] = json.loads(text)
            at = int(entry["__REALTIME_TIMESTAMP"]) * 1000
            self.cursor = str(entry["__CURSOR"])
        except (ValueError, LookupError, TypeError):
            return None
        said = _text(entry.get("MESSAGE"))
        labels = self._labels(entry)
        if said is None or labels is None:
            return None
        self._last = max(at, self._last + 1)  # Loki takes two lines of one moment for one
        return line.Line(self._last, said, labels)

    def _labels(self, entry: dict[str, Any]) -> tuple[tuple[str, str], ...] | None:
        """Who said it; None if that was nobody of ours."""
        container = _text(entry.get("CONTAINER_NAME"))
        if container is not None:
            found = self._ours.fullmatch(container)
            if found is None:
                return None
            return line.labels(source="container", project=found["project"], container=container)
        unit = str(entry.get("_SYSTEMD_UNIT", ""))
        if not unit.startswith("build-hook-"):
            return None
        return line.labels(source=unit.removeprefix("build-hook-").removesuffix(".service"))


def _text(value: Any) -> str | None:
    """A field: text, or numbers of bytes where it is not UTF-8 (systemd.journal-fields)."""
    if isinstance(value, list):
        with contextlib.suppress(ValueError, TypeError):
            return bytes(value).decode(errors="replace")  # pyright: ignore
        return None
    return value if isinstance(value, str) else None
