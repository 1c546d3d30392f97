"""Ships logs: takes lines where they come from, pushes them, and then remembers how far it is.

A line is pushed at least once. Nothing is held in memory but one batch: while Loki is away, the
journal and the files keep the rest.
"""

import json
import logging
import time
from collections.abc import Callable
from typing import Any

from build_hook import settings
from build_hook.shipping import buildlogs, journal, line, loki

_LOOK_EVERY = 1.0
_SLOWEST = 30.0

_log = logging.getLogger(__name__)


class Shipper:
    """One for a state folder."""

    def __init__(self, with_settings: settings.Settings) -> None:
        self._urls = with_settings.loki_urls
        self._common = {"job": "build-hook", **with_settings.loki_labels}
        self._file = with_settings.run / "shipped.json"
        known = self._remembered()
        self._journal = journal.Journal(with_settings.instance, known.get("cursor"))
        self._logs = buildlogs.BuildLogs(with_settings.logs, known.get("builds"))

    def run(self) -> None:
        """Ship until the process ends."""
        self._remember()
        while True:
            self.ship(_LOOK_EVERY)

    def ship(self, wait: float, nap: Callable[[float], None] = time.sleep) -> int:
        """Ship what there is, waiting that long for some; the number of lines."""
        lines = [*self._journal.take(wait), *self._logs.take()]
        if lines:
            self._deliver(lines, nap)
            self._remember()
        return len(lines)

    def close(self) -> None:
        """Let go of the journal."""
        self._journal.close()

    def _deliver(self, lines: list[line.Line], nap: Callable[[float], None]) -> None:
        """Push to all who want them; who is away holds the rest up, and loses nothing."""
        left, pause = list(self._urls), 0.5
        while left := [url for url in left if not loki.push(url, lines, self._common)]:
            nap(pause)
            pause = min(_SLOWEST, pause * 2)

    def _remembered(self) -> dict[str, Any]:
        try:
            return json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def _remember(self) -> None:
        draft = self._file.with_name(".shipped.json")
        known = {"cursor": self._journal.cursor, "builds": self._logs.sent}
        draft.write_text(json.dumps(known), encoding="utf-8")
        draft.replace(self._file)
