"""How many answers of a version were failures, by the proxy's counters."""

import dataclasses
from collections.abc import Collection, Mapping

from build_hook import errors, settings
from build_hook.proxy import runtime

# HAProxy's management guide, section 9.1. An answer of 5xx was the application's; econ and eresp
# are requests that found nobody, or that broke off.
_ANSWERS = tuple(f"hrsp_{kind}" for kind in ("1xx", "2xx", "3xx", "4xx", "5xx", "other"))
_LOST = ("econ", "eresp")

Servers = Collection[tuple[str, str]]


@dataclasses.dataclass(frozen=True, slots=True)
class Tally:
    """Answers, and how many of them were failures; over TCP: connections."""

    answers: int = 0
    failed: int = 0

    @property
    def share(self) -> float:
        """The share of failures, from 0 to 1."""
        return self.failed / self.answers if self.answers else 0.0

    def since(self, begun: "Tally") -> "Tally":
        """What came after ``begun``; all of it if the counters began anew meanwhile."""
        if self.answers < begun.answers or self.failed < begun.failed:
            return self
        return Tally(self.answers - begun.answers, self.failed - begun.failed)

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.answers + other.answers, self.failed + other.failed)


class Tallies:
    """Counts by version, though versions take turns on the proxy's server lines."""

    def __init__(self, with_settings: settings.Settings) -> None:
        self._runtime = runtime.Runtime(with_settings.run)
        self._begun: dict[tuple[str, str], Tally] = {}

    def begin(self, servers: Servers) -> None:
        """Count these lines from now on: another version has taken them over."""
        self._begun.update(self._now(servers))

    def count(self, servers: Servers) -> Tally:
        """What the version on these lines has answered; nothing while the proxy is down."""
        total = Tally()
        for server, now in self._now(servers).items():
            total += now.since(self._begun.get(server, Tally()))
        return total

    def _now(self, servers: Servers) -> dict[tuple[str, str], Tally]:
        try:
            rows = self._runtime.statistics()
        except errors.ProxyError:
            return {}
        return {server: of_row(rows[server]) for server in servers if server in rows}


def of_row(row: Mapping[str, str]) -> Tally:
    """The counters of one server line."""
    if row.get("mode") != "http":
        return Tally(_sum(row, ("stot",)), _sum(row, ("econ",)))
    lost = _sum(row, _LOST)
    return Tally(_sum(row, _ANSWERS) + lost, _sum(row, ("hrsp_5xx",)) + lost)


def _sum(row: Mapping[str, str], columns: tuple[str, ...]) -> int:
    return sum(int(row.get(column) or 0) for column in columns)
