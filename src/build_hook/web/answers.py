"""Answers: JSON in one shape, and refusals that say what to do."""

import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from build_hook import errors

Send = Callable[[dict[str, Any]], Awaitable[None]]


class RefusedError(errors.BuildHookError):
    """A request that is answered with an error status."""

    def __init__(
        self, status: int, message: str, hint: str = "", *, retry_after: int | None = None
    ) -> None:
        super().__init__(message, hint)
        self.status = status
        self.retry_after = retry_after

    @property
    def headers(self) -> dict[str, str]:
        """What the client should know besides the body."""
        return {} if self.retry_after is None else {"retry-after": str(self.retry_after)}


def error(message: str, hint: str) -> bytes:
    """The body of every error."""
    return encode({"success": False, "error": message, "hint": hint})


def encode(value: object) -> bytes:
    """JSON for the wire."""
    return json.dumps(value, separators=(",", ":")).encode()


async def refuse(send: Send, refusal: RefusedError) -> None:
    """Answer below the framework, and announce that the connection ends."""
    body = error(refusal.message, refusal.hint)
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        "connection": "close",
        **refusal.headers,
    }
    start = {"type": "http.response.start", "status": refusal.status, "headers": _raw(headers)}
    await send(start)
    await send({"type": "http.response.body", "body": body})


def _raw(headers: dict[str, str]) -> Iterable[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]
