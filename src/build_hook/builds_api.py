"""``GET /api/v1/builds/{id}`` and its log, for those who hold the token."""

import dataclasses
import pathlib
import sqlite3
from collections.abc import AsyncGenerator, Callable
from typing import IO, Any

import falcon.asgi

from build_hook import answers, buildlog, errors, links
from build_hook.store import builds

PIECE = 64 * 1024
# ``settings`` holds a project's environment.
_PRIVATE = ("settings",)


class Access:
    """Opens the history to whom the token admits."""

    def __init__(
        self, admits: Callable[[str | None], bool], history: Callable[[], builds.Builds]
    ) -> None:
        self._admits = admits
        self._history = history

    def build(
        self, request: falcon.asgi.Request, number: int
    ) -> tuple[builds.Build, builds.Builds]:
        """Find a build.

        Raises:
            RefusedError: without the token, if there is no such build, or no database.
        """
        if not self._admits(request.get_header("Authorization")):
            raise answers.RefusedError(
                401,
                "The token is missing or wrong",
                "Send Authorization: Bearer TOKEN; it is in secrets/api-token of the state folder",
            )
        try:
            history = self._history()
            return history.get(number), history
        except sqlite3.Error as error:
            raise answers.RefusedError(
                503, f"The history cannot be read: {error}", "Try again", retry_after=5
            ) from error
        except errors.StoreError as error:
            raise answers.RefusedError(404, error.message, error.hint) from error


class Builds:
    """One build as JSON."""

    def __init__(self, access: Access, link: links.Links) -> None:
        self._access = access
        self._link = link

    async def on_get(
        self, request: falcon.asgi.Request, response: falcon.asgi.Response, number: int
    ) -> None:
        """Tell how far a build is."""
        build, history = self._access.build(request, number)
        response.set_header("Cache-Control", "no-store")
        response.data = answers.encode(
            {
                **_public(build),
                "phases": [{"phase": phase, "at": at} for phase, at in history.phases(build.id)],
                "url": self._link.build(request, build.id),
                "log": f"{self._link.build(request, build.id)}/log",
            }
        )


class Logs:
    """A build's log as text."""

    def __init__(self, access: Access, folder: pathlib.Path) -> None:
        self._access = access
        self._folder = folder

    async def on_get(
        self, request: falcon.asgi.Request, response: falcon.asgi.Response, number: int
    ) -> None:
        """Send what is there so far."""
        build, _ = self._access.build(request, number)
        response.content_type = "text/plain; charset=utf-8"
        response.set_header("Cache-Control", "no-store")
        try:
            response.stream = _pieces(buildlog.path(self._folder, build.id).open("rb"))
        except FileNotFoundError:
            response.data = b""


def _public(build: builds.Build) -> dict[str, Any]:
    return {k: v for k, v in dataclasses.asdict(build).items() if k not in _PRIVATE}


async def _pieces(file: IO[bytes]) -> AsyncGenerator[bytes]:
    with file:
        while piece := file.read(PIECE):
            yield piece
