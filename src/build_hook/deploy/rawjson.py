"""What a build says as JSON (``--progress=rawjson``), as the lines that people know.

Each line of it is one news of BuildKit's solver: steps, their states, what they printed.
https://github.com/moby/buildkit/blob/master/client/graph.go
"""

import base64
import dataclasses
import datetime
from collections.abc import Iterator

import pydantic

# News that are longer than what is read at once (process) come in parts.
_CUT = 65_536
_LONGEST = 8 * 2**20


class _News(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="ignore")


class _Vertex(_News):
    digest: str
    name: str = ""
    started: datetime.datetime | None = None
    completed: datetime.datetime | None = None
    cached: bool = False
    error: str = ""


class _Status(_News):
    id: str
    vertex: str = ""
    name: str = ""
    completed: datetime.datetime | None = None


class _Log(_News):
    vertex: str = ""
    stream: int = 1
    data: str = ""
    timestamp: datetime.datetime


class _Warning(_News):
    vertex: str = ""
    short: str = ""


class _Solve(_News):
    vertexes: tuple[_Vertex, ...] = ()
    statuses: tuple[_Status, ...] = ()
    logs: tuple[_Log, ...] = ()
    warnings: tuple[_Warning, ...] = ()


@dataclasses.dataclass(slots=True)
class _Step:
    """What was said of a step; ``open`` holds what it printed without an end of line."""

    number: int
    started: datetime.datetime | None = None
    completed: datetime.datetime | None = None
    open: dict[int, str] = dataclasses.field(default_factory=dict[int, str])
    done: set[str] = dataclasses.field(default_factory=set[str])

    def age(self, at: datetime.datetime) -> float:
        """How many seconds it had run by then."""
        return max(0.0, (at - self.started).total_seconds()) if self.started else 0.0


class Reader:
    """Reads one build: each line of its output as the lines to show, none or several."""

    def __init__(self) -> None:
        self._steps: dict[str, _Step] = {}
        self._part = ""

    def __call__(self, line: str) -> Iterator[str]:
        """What a line says; one that is no news, such as the last error, stays as it is."""
        text = self._part + line
        self._part = ""
        if not text.startswith("{"):
            yield text
            return
        try:
            news = _Solve.model_validate_json(text)
        except pydantic.ValidationError:
            if len(line) >= _CUT and len(text) < _LONGEST:
                self._part = text
            else:
                yield text[:_CUT]
            return
        yield from self._told(news)

    # Private

    def _told(self, news: _Solve) -> Iterator[str]:
        ended = [one for one in news.vertexes if one.completed is not None]
        for vertex in news.vertexes:
            yield from self._began(vertex)
        for log in news.logs:
            yield from self._printed(log)
        for status in news.statuses:
            yield from self._reached(status)
        for warning in news.warnings:
            yield f"#{self._step(warning.vertex).number} WARNING: {_text(warning.short)}"
        for vertex in ended:
            yield from self._ended(vertex)

    def _step(self, digest: str) -> _Step:
        return self._steps.setdefault(digest, _Step(len(self._steps) + 1))

    def _began(self, vertex: _Vertex) -> Iterator[str]:
        if vertex.started is None:
            return
        step = self._step(vertex.digest)
        if vertex.started != step.started:
            step.started = vertex.started
            yield f"#{step.number} {vertex.name}"

    def _printed(self, log: _Log) -> Iterator[str]:
        step = self._step(log.vertex)
        *lines, rest = (step.open.pop(log.stream, "") + _text(log.data)).split("\n")
        if len(rest) > _CUT:  # a line without an end must not fill the memory
            lines.append(rest)
        elif rest:
            step.open[log.stream] = rest
        for line in lines:
            yield f"#{step.number} {step.age(log.timestamp):.3f} {line}"

    def _reached(self, status: _Status) -> Iterator[str]:
        step = self._step(status.vertex)
        if status.completed is not None and status.id not in step.done:
            step.done.add(status.id)
            yield f"#{step.number} {status.name or status.id} done"

    def _ended(self, vertex: _Vertex) -> Iterator[str]:
        step = self._step(vertex.digest)
        if vertex.completed is None or vertex.completed == step.completed:
            return
        step.completed = vertex.completed
        for rest in step.open.values():
            yield f"#{step.number} {step.age(vertex.completed):.3f} {rest}"
        step.open.clear()
        yield f"#{step.number} {_end(vertex, step.age(vertex.completed))}"


def _end(vertex: _Vertex, seconds: float) -> str:
    if vertex.error.endswith("context canceled"):
        return "CANCELED"
    if vertex.error:
        return f"ERROR: {vertex.error}"
    if vertex.cached:
        return "CACHED"
    return f"DONE {seconds:.1f}s"


def _text(data: str) -> str:
    return base64.b64decode(data).decode(errors="replace")
