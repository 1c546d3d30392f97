"""What the build hook tells each project, and what it tells the operator."""

import ops
from charms.docker_build_hook.v0 import dockerfile

import outcomes
import state


def report(
    unit: str,
    request: dockerfile.Request,
    desired: state.Desired,
    url: str,
    fate: outcomes.Fate | None,
) -> dockerfile.Report:
    """What this unit says about one project."""
    if not request.is_here:
        return dockerfile.Report(unit=unit, refused=f"{unit} is on another machine")
    registered = desired.registry.find(state.name_of(request)) is not None
    return dockerfile.Report(
        unit=unit,
        webhook_url=url if registered else None,
        refused=desired.problem(request.app) or (fate.problem if fate else None),
        serving=fate.serving if fate else None,
        last=fate.last if fate else None,
    )


def elsewhere(request: dockerfile.Request, units: int) -> str | None:
    """Says that a project has no unit where a build hook could serve it."""
    if request.is_here or not request.units or units > 1:
        return None
    app = request.app
    return f"{app} is on another machine: juju add-unit {app} --to the machine of this unit"


def statuses(
    desired: state.Desired,
    requests: tuple[dockerfile.Request, ...],
    fates: dict[str, outcomes.Fate],
    units: int,
) -> list[ops.StatusBase]:
    """What the projects mean for the unit's status; the operator's fix is in every message."""
    distant = [text for r in requests if (text := elsewhere(r, units))]
    blocked = [f"{app}: {problem}" for app, problem in desired.problems] + distant
    blocked += [f"{name}: {fate.problem}" for name, fate in fates.items() if fate.problem]
    silent = [r.app for r in requests if r.is_here and r.project is None and r.problem is None]
    return [
        *(ops.BlockedStatus(text) for text in blocked),
        *(ops.WaitingStatus(f"{app} has not said which repository it is yet") for app in silent),
        ops.ActiveStatus(_summary(desired, fates)),
    ]


def _summary(desired: state.Desired, fates: dict[str, outcomes.Fate]) -> str:
    left = [entry.name for entry in desired.registry.projects if entry.kept]
    kept = f"; kept: {', '.join(left)}" if left else ""
    names = [entry.name for entry in desired.registry.active]
    if not names:
        return f"No projects: relate an application to the project endpoint{kept}"
    for name in names:
        failure = fates[name].failure if name in fates else None
        if failure:
            return f"{name}: {failure}; see the logs action with project={name}"
    return f"{len(names)} registered: {', '.join(names)}{kept}"
