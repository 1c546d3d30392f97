"""The projects as web sees them: the registry and its index, looked at while requests come."""

import time
from collections.abc import Callable

from build_hook import registry
from build_hook.judging import matching
from build_hook.web import web_log


class Catalogue:
    """Looks at the registry file at most every ``interval`` seconds."""

    def __init__(
        self,
        reader: registry.Reader,
        *,
        interval: float = 0.2,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader
        self._interval = interval
        self._clock = clock
        self._next_look = float("-inf")
        self._problem: str | None = None
        self._index = matching.Index(reader.current.projects)

    @property
    def index(self) -> matching.Index:
        """What deliveries are matched against."""
        self._look()
        return self._index

    @property
    def registry(self) -> registry.Registry:
        """The projects in force."""
        self._look()
        return self._reader.current

    @property
    def problem(self) -> str | None:
        """Why the file is not what is in force; without paths, since strangers may ask."""
        self._look()
        path = self._reader.path
        return self._problem.replace(str(path), path.name) if self._problem else None

    def _look(self) -> None:
        now = self._clock()
        if now < self._next_look:
            return
        self._next_look = now + self._interval
        if self._reader.refresh():
            self._index = matching.Index(self._reader.current.projects)
            web_log.write("registry", projects=len(self._reader.current.projects))
        if self._reader.problem != self._problem:
            self._problem = self._reader.problem
            web_log.write("registry", problem=self._problem or "none")
