"""The projects as web sees them: the registry and its index, looked at while requests come."""

import asyncio
import contextlib
import gc
import time
from collections.abc import Callable, Generator

from build_hook import registry
from build_hook.judging import matching
from build_hook.web import web_log


class Catalogue:
    """Looks at the registry file at most every ``interval`` seconds.

    Whoever asks for the projects looks; while somebody follows the file, nobody waits for it.
    """

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
        self._is_followed = False
        self._problem: str | None = None
        self._registry = reader.current
        self._index = matching.Index(())
        self._look()

    @property
    def index(self) -> matching.Index:
        """What deliveries are matched against."""
        self._look()
        return self._index

    @property
    def registry(self) -> registry.Registry:
        """The projects in force."""
        self._look()
        return self._registry

    @property
    def problem(self) -> str | None:
        """Why the file is not what is in force; without paths, since strangers may ask."""
        self._look()
        path = self._reader.path
        return self._problem.replace(str(path), path.name) if self._problem else None

    async def follow(self) -> None:
        """Look outside the event loop, until cancelled: ten thousand projects take half a second.

        What is in force changes in one step, once the new index is made.
        """
        self._is_followed = True
        try:
            while True:
                await asyncio.sleep(self._interval)
                if self._reader.is_outdated:
                    await asyncio.to_thread(self._refresh)
        finally:
            self._is_followed = False

    def _look(self) -> None:
        now = self._clock()
        if self._is_followed or now < self._next_look:
            return
        self._next_look = now + self._interval
        self._refresh()

    def _refresh(self) -> None:
        if self._reader.is_outdated:
            with _uncollected():
                self._read()
        if self._reader.problem != self._problem:
            self._problem = self._reader.problem
            web_log.write("registry", problem=self._problem or "none")

    def _read(self) -> None:
        if self._reader.refresh():
            new = self._reader.current
            new = new.model_copy(update={"projects": new.active})
            self._index, self._registry = matching.Index(new.projects), new
            web_log.write("registry", projects=len(new.projects))


@contextlib.contextmanager
def _uncollected() -> Generator[None]:
    """Make many objects that stay, without stopping everybody to look for those that do not."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
