"""What the clients of one port see: answers, failures, gaps, versions."""

import dataclasses
import time


@dataclasses.dataclass(slots=True)
class Tally:
    """What was seen since the last report; times are of the monotonic clock, in seconds."""

    requests: int = 0
    failures: dict[str, int] = dataclasses.field(default_factory=dict[str, int])
    versions: dict[str, int] = dataclasses.field(default_factory=dict[str, int])
    first_seen: dict[str, float] = dataclasses.field(default_factory=dict[str, float])
    last: str | None = None
    reopened: int = 0
    gap: float = 0.0

    @property
    def failed(self) -> int:
        """Requests that did not end in the right answer."""
        return sum(self.failures.values())


class Meter:
    """Counts; all clients of one port share it."""

    def __init__(self) -> None:
        self._tally = Tally()
        self._last_success: float | None = None
        self._known: set[str] = set()

    def success(self, version: str) -> None:
        """Count an answer."""
        now = time.monotonic()
        self._widen(now)
        self._last_success = now
        self._tally.requests += 1
        self._tally.last = version
        self._tally.versions[version] = self._tally.versions.get(version, 0) + 1
        if version not in self._known:
            self._known.add(version)
            self._tally.first_seen[version] = now

    def failure(self, how: str) -> None:
        """Count a request that failed."""
        self._tally.requests += 1
        self._tally.failures[how] = self._tally.failures.get(how, 0) + 1

    def reopened(self) -> None:
        """Count an idle connection that was found closed."""
        self._tally.reopened += 1

    def take(self) -> Tally:
        """What was seen since the last call; a gap that goes on counts as far as it is."""
        self._widen(time.monotonic())
        taken, self._tally = self._tally, Tally()
        return taken

    def _widen(self, now: float) -> None:
        if self._last_success is not None:
            self._tally.gap = max(self._tally.gap, now - self._last_success)
