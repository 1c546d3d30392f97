"""Builds: how far they are, what they said, and stopping them."""

import dataclasses

from build_hook import makeup
from build_hook.deploy import buildlog, progress, sightings
from build_hook.store import builds, history
from build_hook.web.api import call, find, logs, models, parts


def every(of: parts.Parts, asked: call.Call) -> models.Builds:
    """List builds, newest first."""
    page: models.Page = asked.asked
    found = of.builds.recent(page.project, page.limit, page.before)
    return models.Builds(
        builds=tuple(models.Build(**asked.build(build)) for build in found),
        next=found[-1].id if len(found) == page.limit else None,
    )


def one(of: parts.Parts, asked: call.Call) -> models.BuildWithPhases:
    """Tell how far a build is, how long each phase took, and why it failed."""
    with find.refusing(404):
        found = history.read(of.builds, asked.path["id"])
    services = makeup.of_build(found.build, of.builds, sightings.read(of.options.run))
    return models.BuildWithPhases(
        **asked.build(found.build),
        phases=tuple(models.PhaseEntered(**dataclasses.asdict(one)) for one in found.phases),
        settings=found.settings,
        card=found.card,
        progress=_progress(of, found.build),
        services=tuple(models.Service(**one.row) for one in services),
    )


def log(of: parts.Parts, asked: call.Call) -> logs.Log:
    """Read a build's log: text so far, or with follow=1 server-sent events until its end."""
    with find.refusing(404):
        build = of.builds.get(asked.path["id"])
    file = buildlog.path(of.options.logs, build.id)
    return logs.Log(file, build.id, follow=asked.asked.follow == "1", start=asked.resume)


def cancel(of: parts.Parts, asked: call.Call) -> models.Build:
    """Stop a build; one that is watched gives the traffic back."""
    with find.refusing(404):
        of.builds.get(asked.path["id"])
    with find.refusing(409):
        build = of.orders.cancel(asked.path["id"])
    return models.Build(**asked.build(build))


def _progress(of: parts.Parts, build: builds.Build) -> str | None:
    if build.phase is not builds.Phase.BUILDING:
        return None
    step = progress.of_log(buildlog.path(of.options.logs, build.id))
    return step and str(step)
