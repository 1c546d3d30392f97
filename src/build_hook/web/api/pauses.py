"""Pauses: pushes are stored and wait until somebody resumes."""

from typing import Annotated

import pydantic

from build_hook import wake
from build_hook.store import pauses
from build_hook.web.api import call, find, models, parts


class Pause(models.Asked):
    """Why pushes are to wait."""

    reason: Annotated[str, pydantic.Field(min_length=1, max_length=500)] | None = pydantic.Field(
        default=None, description="shown wherever somebody asks why nothing happens"
    )


class Held(models.Given):
    """Whether pushes wait."""

    project: str | None = pydantic.Field(description="null for all projects")
    paused: bool
    since: models.Time | None
    reason: str | None


def pause(of: parts.Parts, asked: call.Call) -> Held:
    """Let a project's pushes wait; they are stored, and the newest is built on resume."""
    return _begin(of, asked, find.registered(of, asked.path["name"]).name)


def resume(of: parts.Parts, asked: call.Call) -> Held:
    """Build what waits for a project, only the newest."""
    return _end(of, find.registered(of, asked.path["name"]).name)


def pause_all(of: parts.Parts, asked: call.Call) -> Held:
    """Let the pushes of all projects wait."""
    return _begin(of, asked, None)


def resume_all(of: parts.Parts, asked: call.Call) -> Held:
    """Build what waits; projects that were paused one by one stay so."""
    return _end(of, None)


def _begin(of: parts.Parts, asked: call.Call, name: str | None) -> Held:
    with find.refusing(503):
        made = pauses.begin(of.builds.session, name, asked.asked.reason)
    return Held(project=name, paused=True, since=made.since, reason=made.reason)


def _end(of: parts.Parts, name: str | None) -> Held:
    with find.refusing(503):
        pauses.end(of.builds.session, name)
    wake.send(of.options.run)
    return Held(project=name, paused=False, since=None, reason=None)
