"""The body of a request: read with a cap and a deadline, before anything else looks at it."""

import asyncio
import pathlib
import tempfile
from collections.abc import Awaitable, Callable
from typing import IO, Any

from build_hook.web import answers, slots

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
App = Callable[[Scope, Receive, answers.Send], Awaitable[None]]

SCOPE_KEY = "build_hook.web.body"
# Bodies above this wait in a file, and are parsed outside the event loop.
LARGE = 128 * 1024
MOST_SPOOLED = 32
# 25 MB and more at what a slow line carries; nothing of it is kept.
DISCARD_SECONDS = 5


class Body:
    """Bytes that came, in memory while they are few."""

    def __init__(self) -> None:
        self.size = 0
        self._chunks: list[bytes] = []
        self._file: IO[bytes] | None = None
        self.slot: int | None = None  # among the large ones

    @property
    def is_large(self) -> bool:
        """Whether it lies in a file."""
        return self._file is not None

    def add(self, chunk: bytes) -> None:
        """Keep a chunk."""
        self.size += len(chunk)
        if self._file is None:
            self._chunks.append(chunk)
        else:
            self._file.write(chunk)

    def spool(self, folder: pathlib.Path) -> None:
        """Move what is there to a file without a name."""
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - lives as long as we
        self._file.writelines(self._chunks)
        self._chunks.clear()

    def load(self) -> bytes:
        """All bytes."""
        if self._file is not None:
            self._file.seek(0)
            return self._file.read()
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()


class Intake:
    """Reads bodies in front of an application, and hands them over in the scope.

    Falcon waits for the first piece of a body before it routes, so the cap and the deadline
    have to stand before it. A sender has ``patience`` seconds, and one more for every ``rate``
    bytes that came.
    """

    def __init__(
        self,
        app: App,
        *,
        limit: int,
        folder: pathlib.Path,
        patience: float = 10,
        rate: float = 1e6,
    ) -> None:
        self._app = app
        self._limit = limit
        self._folder = folder
        self._patience = patience
        self._rate = rate
        self._large = slots.Slots(MOST_SPOOLED)

    async def __call__(self, scope: Scope, receive: Receive, send: answers.Send) -> None:
        """Serve one request, or the start and end of the process."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["headers"] = [(name, value) for name, value in scope["headers"]]  # any iterables
        body = Body()
        try:
            await self._read(body, scope, receive)
            scope[SCOPE_KEY] = body
            await self._app(scope, _after_body(receive), send)
        except answers.RefusedError as refusal:
            await answers.refuse(send, refusal)
            await self._discard(receive)
        finally:
            body.close()
            if body.slot is not None:
                self._large.give(body.slot)

    async def _read(self, body: Body, scope: Scope, receive: Receive) -> None:
        if not scope.get("query_string", b"").isascii():  # Falcon would stumble over it
            raise answers.RefusedError(
                400, "The address is not ASCII", "Send what is not in a URL percent-encoded"
            )
        self._check(_declared_length(scope))
        loop = asyncio.get_running_loop()
        start = loop.time()
        try:
            async with asyncio.timeout(self._patience) as deadline:
                while await self._read_piece(body, receive):
                    deadline.reschedule(start + self._patience + body.size / self._rate)
        except TimeoutError:
            raise answers.RefusedError(
                408,
                f"The body came too slowly: {body.size} bytes in {loop.time() - start:.0f} s",
                "Send it again; look at the network between the git host and this server",
            ) from None

    async def _read_piece(self, body: Body, receive: Receive) -> bool:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise answers.RefusedError(400, "The body was cut", "Send it again")
        body.add(event.get("body", b""))
        self._check(body.size)
        if body.size > LARGE and not body.is_large:
            self._spool(body)
        return event.get("more_body", False)

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise answers.RefusedError(
                413,
                f"The body is larger than {self._limit / 2**20:g} MiB",
                "Send fewer commits at once, or raise max_body_mb in the settings",
            )

    def _spool(self, body: Body) -> None:
        body.slot = self._large.take()
        if body.slot is None:
            raise answers.RefusedError(
                503, "Too many large bodies at once", "Send it again", retry_after=10
            )
        try:
            body.spool(self._folder)
        except OSError as error:
            raise answers.RefusedError(
                503,
                f"A large body cannot be kept: {error.strerror}",
                "Make room on the server's disk, then send it again",
                retry_after=60,
            ) from error

    async def _discard(self, receive: Receive) -> None:
        # A connection that is closed with bytes unread is reset, and the client never sees
        # the answer.
        try:
            async with asyncio.timeout(DISCARD_SECONDS):
                while (await receive()).get("more_body", False):
                    pass
        except TimeoutError:
            return


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value)
    return 0


def _after_body(receive: Receive) -> Receive:
    first: list[dict[str, Any]] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def after() -> dict[str, Any]:
        return first.pop() if first else await receive()

    return after
