"""Projects: how they stand, and what can be asked for them."""

from typing import Any

from build_hook import errors, makeup, part, standing
from build_hook.deploy import condition, sightings
from build_hook.store import builds
from build_hook.web import answers, listing
from build_hook.web.api import call, find, models, parts


def every(of: parts.Parts, asked: call.Call) -> models.Projects:
    """List projects by name, and how they stand."""
    page: models.ProjectsPage = asked.asked
    wrong = condition.read(of.options.run)
    rest = sorted(
        (p for p in of.projects.registry.projects if page.after is None or p.name > page.after),
        key=lambda p: p.name,
    )
    wanted = rest[: page.limit]
    seen = sightings.read(of.options.run)
    found = standing.look(wanted, of.builds, wrong, of.holds)
    return models.Projects(
        projects=tuple(_shown(of, one, asked, seen) for one in found),
        next=wanted[-1].name if len(wanted) < len(rest) else None,
        registry_problem=of.projects.problem,
        engine_problem=wrong.engine,
        web_problem=wrong.web,
    )


def one(of: parts.Parts, asked: call.Call) -> models.Project:
    """Tell how a project stands."""
    entry = find.registered(of, asked.path["name"])
    (found,) = standing.look([entry], of.builds, condition.read(of.options.run), of.holds)
    return _shown(of, found, asked, sightings.read(of.options.run))


def deploy(of: parts.Parts, asked: call.Call) -> models.Build:
    """Build the head of the tracked ref, or of another, and put it live."""
    entry = find.registered(of, asked.path["name"])
    try:
        with find.refusing(409):
            build = of.orders.deploy(
                entry, asked.asked.ref, force=asked.asked.force, fresh=asked.asked.fresh
            )
    except errors.HeldError as error:
        raise answers.RefusedError(409, error.message, 'To deploy now: {"force": true}') from error
    except ValueError as error:
        raise answers.RefusedError(
            422, f"ref: {error}", "Name a branch, or a full ref such as refs/tags/v1"
        ) from error
    return models.Build(**asked.build(build))


def roll_back(of: parts.Parts, asked: call.Call) -> models.Build:
    """Put an earlier build live again: same image and settings, nothing is built."""
    entry = find.registered(of, asked.path["name"])
    if asked.asked.to is not None:
        with find.refusing(404):
            of.builds.get(asked.asked.to)
    with find.refusing(409):
        build = of.orders.roll_back(entry, asked.asked.to)
    return models.Build(**asked.build(build))


def _shown(
    of: parts.Parts, found: standing.Standing, asked: call.Call, seen: sightings.Seen
) -> models.Project:
    entry, units = found.project, part.units([found.project])
    services = makeup.of_project(entry.name, of.builds, seen)
    return models.Project(
        name=entry.name,
        repository=listing.without_password(entry.repository) or None,
        image=entry.image,
        ref=entry.ref,
        tags=entry.tags,
        branches=entry.branches,
        ports=tuple(port.published for unit in units for port in unit.ports),
        hosts=tuple(host for unit in units for host in unit.hosts),
        certificates=tuple(name for unit in units for name in unit.certificates),
        live=_build(found.live, asked),
        last=_build(found.last, asked),
        problem=found.problem,
        warning=found.warning,
        held=found.held,
        services=tuple(models.Service(**one.row) for one in services),
    )


def _build(build: builds.Build | None, asked: call.Call) -> Any:
    return None if build is None else models.Build(**asked.build(build))
