"""How a project stands, as one line for ``juju status``."""

import time

import ops
from charms.docker_build_hook.v0 import dockerfile

_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"))
_ENDED_BADLY = ("failed", "rolled-back")


def status(
    reports: tuple[dockerfile.Report, ...], url: str | None, app: str, now: float | None = None
) -> ops.StatusBase:
    """What the build hook of this machine says."""
    if not reports:
        return ops.WaitingStatus("Waiting for the build hook")
    here = [report for report in reports if report.is_here]
    if not here:
        return ops.BlockedStatus(
            f"No build hook on this machine: juju add-unit {app} --to a Docker host that has one"
        )
    report = here[0]
    if report.refused:
        return ops.BlockedStatus(f"{report.unit} refuses: {report.refused}")
    if report.serving is None and report.webhook_url is None:
        return ops.WaitingStatus("Waiting for the build hook to register the project")
    return ops.ActiveStatus(_sentence(report, url, time.time() if now is None else now))


def _sentence(report: dockerfile.Report, url: str | None, now: float) -> str:
    trouble = _trouble(report.last)
    if report.serving is None or report.serving.commit is None:
        nothing = f"Registered, nothing serves yet: push to {report.webhook_url}"
        return f"{trouble}; nothing serves" if trouble else nothing
    serves = f"Serves {report.serving.commit[:8]}"
    if report.serving.finished is not None:
        serves += f", {_age(now - report.serving.finished)} old"
    if url:
        serves += f", at {url}"
    return f"{trouble}. {serves}" if trouble else serves


def _trouble(last: dockerfile.Outcome | None) -> str | None:
    if last is None or last.phase not in _ENDED_BADLY:
        return None
    return f"Build {last.build} {last.phase}: {last.reason or 'see its log'}"


def _age(seconds: float) -> str:
    for length, unit in _STEPS:
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return "under 1 min"
