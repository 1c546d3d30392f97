"""A build's log on the wire: text so far, or events until the build has ended."""

import asyncio
import contextlib
import dataclasses
import pathlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import IO, Any

import falcon.asgi

from build_hook import errors
from build_hook.store import records
from build_hook.web import answers

PIECE = 64 * 1024
LOOK_EVERY = 0.5
HEARTBEAT = 15.0
MOST_FOLLOWERS = 64


@dataclasses.dataclass(frozen=True, slots=True)
class Log:
    """Which log, from which byte, and whether to wait for more of it."""

    file: pathlib.Path
    build: int
    follow: bool
    start: int = 0


# Where a build is; asked in a thread, since it reads the database.
Phase = Callable[[int], Awaitable[records.Phase]]


class Streams:
    """Sends logs; knows how many follow one in this process."""

    def __init__(self, phase: Phase, *, most: int = MOST_FOLLOWERS) -> None:
        self._phase = phase
        self._most = most
        self._followers = 0

    def send(self, log: Log, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        """Attach a log to the answer.

        Raises:
            RefusedError: if too many follow a log already.
        """
        if log.follow:
            response.sse = self._follow(log, self._place(), _stopping(request))
            return
        response.content_type = "text/plain; charset=utf-8"
        try:
            response.stream = _pieces(log.file.open("rb"))
        except FileNotFoundError:
            response.data = b""

    def _place(self) -> contextlib.AbstractContextManager[None]:
        if self._followers >= self._most:
            raise answers.RefusedError(
                503, f"{self._most} clients follow a log already", "Try again", retry_after=30
            )
        return self._taken()

    @contextlib.contextmanager
    def _taken(self) -> Generator[None]:
        self._followers += 1
        try:
            yield
        finally:
            self._followers -= 1

    async def _follow(
        self,
        log: Log,
        place: contextlib.AbstractContextManager[None],
        stopping: asyncio.Event,
    ) -> AsyncGenerator[falcon.asgi.SSEvent]:
        # gunicorn sends the headers with the first piece: one comes at once, whatever it is
        position, silent = log.start, HEARTBEAT
        with place:
            while not stopping.is_set():
                try:
                    phase = await self._phase(log.build)  # first: nothing is written after its end
                except errors.BuildHookError as error:
                    yield falcon.asgi.SSEvent(event="error", json={"error": error.message})
                    return
                piece = _read(log.file, position, whole_lines=not phase.is_end)
                if piece:
                    position, silent = position + len(piece), 0.0
                    yield falcon.asgi.SSEvent(text=_lines(piece), event_id=str(position))
                    continue
                if phase.is_end:
                    yield falcon.asgi.SSEvent(event="end", json={"phase": phase})
                    return
                if silent >= HEARTBEAT:
                    silent = 0.0
                    yield falcon.asgi.SSEvent(comment="waiting")
                await _sleep(stopping)
                silent += LOOK_EVERY


async def _sleep(stopping: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), LOOK_EVERY)


def _stopping(request: falcon.asgi.Request) -> asyncio.Event:
    """What is set when the server stops; see web_worker."""
    state: dict[str, Any] = request.scope.get("state") or {}
    return state.get("stopping") or asyncio.Event()


def _read(file: pathlib.Path, position: int, *, whole_lines: bool) -> bytes:
    try:
        with file.open("rb") as log:
            log.seek(position)
            piece = log.read(PIECE)
    except FileNotFoundError:
        return b""
    if len(piece) < PIECE and not whole_lines:
        return piece
    return piece[: piece.rfind(b"\n") + 1] or piece[: PIECE if len(piece) == PIECE else 0]


def _lines(piece: bytes) -> str:
    """Text of one event: its lines are put together again by the client."""
    return piece.decode(errors="replace").removesuffix("\n").replace("\n", "\ndata: ")


async def _pieces(file: IO[bytes]) -> AsyncGenerator[bytes]:
    with file:
        while piece := file.read(PIECE):
            yield piece
