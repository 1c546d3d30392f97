"""The load as the demo sees it: starts the process, and answers what it saw so far."""

import contextlib
import dataclasses
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterable

from build_hook import errors
from build_hook.demo import load, meter


@dataclasses.dataclass(frozen=True, slots=True)
class Window:
    """What the users of all ports saw during a stretch of time."""

    requests: int
    failed: int
    longest_gap_ms: int


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """One line of the load's, read."""

    at: float
    ports: dict[str, meter.Tally]


class Traffic:
    """Steady load on some ports, from ``with`` to its end. Times are of the monotonic clock.

    A client that has no answer after ``patience`` seconds counts it as a failure.
    """

    def __init__(
        self, urls: dict[str, str], clients: int = load.CLIENTS, patience: float = 5.0
    ) -> None:
        ports = (f"{name}={url}" for name, url in urls.items())
        self._arguments = [str(clients), str(patience), *ports]
        self._reports: list[Report] = []
        self._changed = threading.Condition()

    def __enter__(self) -> "Traffic":
        self._process = subprocess.Popen(
            [sys.executable, "-m", "build_hook.demo.load", *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the demo, which ends the load last
        )
        self._reader = threading.Thread(
            target=self._read, args=(self._process.stdout,), daemon=True
        )
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the load and take in its last report."""
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._process.kill()
        self._process.wait()
        self._reader.join(5)
        if self._process.stdout:
            self._process.stdout.close()

    def window(self, begin: float = 0.0, end: float = float("inf")) -> Window:
        """What was seen between two moments."""
        tallies = [
            tally for report in self._between(begin, end) for tally in report.ports.values()
        ]
        return Window(
            requests=sum(tally.requests for tally in tallies),
            failed=sum(tally.failed for tally in tallies),
            longest_gap_ms=round(1000 * max((tally.gap for tally in tallies), default=0.0)),
        )

    def failures(self) -> dict[str, int]:
        """How requests failed, with the count of each way."""
        counts: dict[str, int] = {}
        for report in self._between(0.0, float("inf")):
            for name, tally in report.ports.items():
                for how, count in tally.failures.items():
                    counts[f"{name}: {how}"] = counts.get(f"{name}: {how}", 0) + count
        return counts

    def reopened(self) -> int:
        """How many kept connections were found closed while they were idle."""
        reports = self._between(0.0, float("inf"))
        return sum(tally.reopened for report in reports for tally in report.ports.values())

    def first_seen(self, port: str, version: str) -> float | None:
        """When a version answered for the first time."""
        for report in self._between(0.0, float("inf")):
            if version in report.ports[port].first_seen:
                return report.ports[port].first_seen[version]
        return None

    def answering(self, port: str) -> str | None:
        """The version that answered last."""
        with self._changed:
            answers = (report.ports[port].last for report in reversed(self._reports))
            return next((version for version in answers if version), None)

    def wait_for(self, port: str, version: str, seconds: float) -> float | None:
        """Wait until a version has answered; when it did first."""
        deadline = time.monotonic() + seconds
        while (seen := self.first_seen(port, version)) is None:
            with self._changed:
                if not self._changed.wait(deadline - time.monotonic()):
                    return None
        return seen

    def _between(self, begin: float, end: float) -> list[Report]:
        with self._changed:
            return [report for report in self._reports if begin < report.at <= end]

    def _read(self, lines: Iterable[str]) -> None:
        for line in lines:
            said = json.loads(line)
            ports = {name: meter.Tally(**tally) for name, tally in said["ports"].items()}
            with self._changed:
                self._reports.append(Report(said["at"], ports))
                self._changed.notify_all()

    def check(self) -> None:
        """Make sure that the load still runs.

        Raises:
            BuildHookError: if it has ended.
        """
        if self._process.poll() is not None:
            raise errors.BuildHookError(
                f"The load generator ended with status {self._process.returncode}",
                "Its last words are above",
            )
