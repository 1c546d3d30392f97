"""Finding what a call is about, and saying so when it is not there."""

import contextlib
import sqlite3
from collections.abc import Generator

from build_hook import errors, project
from build_hook.web import answers
from build_hook.web.api import parts

RETRY_SECONDS = 5


def registered(of: parts.Parts, name: str) -> project.Project:
    """The project of that name.

    Raises:
        RefusedError: if there is none.
    """
    found = of.projects.index.find(name)
    if found is None:
        raise answers.RefusedError(
            404, "No project has this name", "GET /api/v1/projects lists them"
        )
    return found


@contextlib.contextmanager
def refusing(status: int) -> Generator[None]:
    """Answer what the store refuses with this status, and with 503 if it cannot be used."""
    try:
        yield
    except errors.StoreError as error:
        if isinstance(error.__cause__, sqlite3.Error):
            raise answers.RefusedError(
                503, error.message, error.hint, retry_after=RETRY_SECONDS
            ) from error
        raise answers.RefusedError(status, error.message, error.hint) from error
