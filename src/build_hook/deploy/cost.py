"""What a deploy cost its users: counted by the proxy, and felt by a probe during the cutover."""

import contextlib
import dataclasses
from collections.abc import Callable, Generator, Iterable, Mapping

from build_hook import errors, project, settings
from build_hook.deploy import meter
from build_hook.proxy import runtime

_COUNTED = {"http": (("req_tot",), ("hrsp_5xx",)), "tcp": (("stot",), ("econ", "eresp"))}


@dataclasses.dataclass(frozen=True, slots=True)
class Cost:
    """Requests (TCP: connections) served and failed, and the longest time nobody answered.

    ``failed`` counts answers of 5xx whoever gave them, and connections that found nobody. Neither
    is known where the proxy was reloaded or restarted meanwhile: its counters began anew then.
    """

    requests: int | None
    failed: int | None
    longest_gap_ms: int | None

    def __str__(self) -> str:
        return told(self.requests, self.failed, self.longest_gap_ms)


def told(requests: int | None, failed: int | None, gap: int | None) -> str:
    """A cost in words."""
    counted = "requests not counted, the proxy was reloaded"
    if requests is not None:
        counted = f"{requests} requests, {failed} failed"
    return counted if gap is None else f"{counted}, longest gap {gap} ms"


def total(of: Iterable[Cost]) -> Cost | None:
    """What several services cost together; a sum is known only where each part is."""
    costs = list(of)
    if not costs:
        return None
    return Cost(
        _sum_known(one.requests for one in costs),
        _sum_known(one.failed for one in costs),
        max((x for one in costs if (x := one.longest_gap_ms) is not None), default=None),
    )


@dataclasses.dataclass(frozen=True, slots=True)
class _Count:
    """The proxy's counters, which are those of one of its workers."""

    worker: int
    requests: int
    failed: int


class Accountant:
    """Keeps the accounts of deploys on one proxy."""

    def __init__(self, with_settings: settings.Settings) -> None:
        self._settings = with_settings
        self._runtime = runtime.Runtime(with_settings.run)

    @contextlib.contextmanager
    def account(self, of: project.Project, note: Callable[[Cost], None]) -> Generator[None]:
        """Measure what the block costs the users of a project, and hand that to ``note``.

        Datagrams have no account: who sends one is not told whether it came.
        """
        probes = meter.of(of, self._settings)
        if probes is None:
            yield
            return
        before = self._count(of)
        probes.start()
        try:
            yield
        finally:
            gap = round(1000 * probes.stop())
            after = self._count(of)
            requests = failed = None
            if before and after and before.worker == after.worker:
                requests = after.requests - before.requests
                failed = max(0, after.failed - before.failed)
            note(Cost(requests, failed, gap))

    def _count(self, of: project.Project) -> _Count | None:
        try:
            worker, rows = self._runtime.process_id(), self._runtime.statistics()
        except errors.ProxyError:
            return None
        requests = failed = 0
        for port in of.stream_ports:
            served, lost = _COUNTED[port.app_protocol]
            row = rows.get((f"{of.name}-{port.published}", "BACKEND"))
            requests += _sum(row, served)
            failed += _sum(row, lost)
        return _Count(worker, requests, failed)


def _sum(row: Mapping[str, str] | None, columns: tuple[str, ...]) -> int:
    return sum(int((row or {}).get(column) or 0) for column in columns)


def _sum_known(of: Iterable[int | None]) -> int | None:
    total = 0
    for one in of:
        if one is None:
            return None
        total += one
    return total
