"""``GET /metrics``: how the server does, in the text format of Prometheus."""

import asyncio
import dataclasses
import ipaddress
import time
from collections.abc import Iterable, Iterator, Mapping

import falcon.asgi

from build_hook import standing
from build_hook.deploy import condition
from build_hook.store import builds, counts, tokens
from build_hook.web import limiter
from build_hook.web.api import access, find, parts

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "build_hook_"
_FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-IP")
_COUNTERS = {
    "builds": ("builds_total", "Builds that have ended, by outcome.", "outcome"),
    "cutover_requests": ("cutover_requests_total", "Requests while traffic moved.", ""),
    "cutover_failed": ("cutover_failed_requests_total", "Those that had no good answer.", ""),
    "deliveries": ("deliveries_total", "Deliveries that were kept, by verdict.", "verdict"),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Metric:
    """One metric with its samples, each labels and a value."""

    name: str
    kind: str
    meaning: str
    samples: tuple[tuple[Mapping[str, str], float], ...]

    def lines(self) -> Iterator[str]:
        """The metric in the text format."""
        yield f"# HELP {_PREFIX}{self.name} {self.meaning}"
        yield f"# TYPE {_PREFIX}{self.name} {self.kind}"
        for labels, value in self.samples:
            pairs = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
            yield f"{_PREFIX}{self.name}{f'{{{pairs}}}' if pairs else ''} {value:g}"


class Metrics:
    """The page; without a token only for this machine itself."""

    def __init__(self, of: parts.Parts, failures: limiter.Limiter) -> None:
        self._parts = of
        self._access = access.Access(lambda: of.tokens, failures)

    async def on_get(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        """Tell all metrics."""
        authorization = request.get_header("Authorization")
        needs_token = authorization is not None or not _is_local(request)
        response.text = await asyncio.to_thread(
            self._page, authorization, request.remote_addr, needs_token
        )
        response.content_type = CONTENT_TYPE
        response.set_header("Cache-Control", "no-store")

    def _page(self, authorization: str | None, address: str, needs_token: bool) -> str:
        if needs_token:
            self._access.admit(authorization, address, tokens.Scope.READ)
        with find.refusing(503):
            metrics = [*_counted(self._parts.counts), *_present(self._parts)]
        return "".join(f"{line}\n" for metric in metrics for line in metric.lines())


def _counted(found: Iterable[counts.Count]) -> Iterator[Metric]:
    by_name: dict[str, list[tuple[Mapping[str, str], float]]] = {name: [] for name in _COUNTERS}
    for each in found:
        label = _COUNTERS[each.name][2]
        project = {"project": each.project} if each.project else {}
        by_name[each.name].append(({**project, **({label: each.label} if label else {})}, each.n))
    for name, samples in by_name.items():
        metric, meaning, _ = _COUNTERS[name]
        yield Metric(metric, "counter", meaning, tuple(samples))


def _present(of: parts.Parts) -> Iterator[Metric]:
    projects, wrong = of.projects.registry.projects, condition.read(of.options.run)
    store, now = of.builds, time.time()
    found = list(standing.look(projects, store, wrong, of.holds))
    live = [(each.project.name, each.live) for each in found if each.live]
    yield _single("projects", "Registered projects.", len(projects))
    yield _single("queue_length", "Builds that wait.", len(store.queued()))
    yield _single("builds_running", "Builds under way.", len(store.running()))
    yield _single("engine_up", "Whether the Docker engine answers.", not wrong.engine)
    yield _by_project(
        "live_age_seconds", "Seconds since what serves went live.",
        [(name, now - build.finished) for name, build in live if build.finished],
    )  # fmt: skip
    yield _by_project(
        "cutover_longest_gap_seconds", "Longest time without an answer in the last cutover.",
        [(name, b.longest_gap_ms / 1000) for name, b in live if b.longest_gap_ms is not None],
    )  # fmt: skip
    yield _by_project(
        "last_build_failed", "Whether the last build is not what serves.",
        [(each.project.name, _failed(each.last)) for each in found],
    )  # fmt: skip
    yield _by_project(
        "project_problem", "Whether something stands in the way of a project.",
        [(each.project.name, each.problem is not None) for each in found],
    )  # fmt: skip


def _failed(last: builds.Build | None) -> bool:
    return last is not None and last.phase in (builds.Phase.FAILED, builds.Phase.ROLLED_BACK)


def _single(name: str, meaning: str, value: float) -> Metric:
    return Metric(name, "gauge", meaning, (({}, value),))


def _by_project(name: str, meaning: str, samples: Iterable[tuple[str, float]]) -> Metric:
    labelled = tuple(({"project": project}, value) for project, value in samples)
    return Metric(name, "gauge", meaning, labelled)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _is_local(request: falcon.asgi.Request) -> bool:
    """Whether this machine asks for itself, and not a proxy on it for somebody else."""
    if any(request.get_header(name) for name in _FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.remote_addr).is_loopback
    except ValueError:
        return False
