"""What was pushed, compared with what the users saw."""

from build_hook.demo import report, script, traffic
from build_hook.store import builds


def judge(
    pushed: tuple[script.Pushed, ...], results: tuple[report.Push, ...], load: traffic.Traffic
) -> report.Report:
    """Compare what was pushed with what the load saw."""
    served_broken = any(
        load.first_seen(p.change.project, p.version) is not None for p in pushed if p.change.broken
    )
    commits = {p.version: p.commit for p in pushed}
    live = {p.change.project: commits.get(load.answering(p.change.project) or "") for p in pushed}
    faults = [f"{how}: {count} requests" for how, count in load.failures().items()]
    faults += ["the broken version served"] if served_broken else []
    last = {p.change.project: p.commit for p in pushed}
    faults += [
        f"{name} does not serve its last commit" for name in last if live[name] != last[name]
    ]
    faults += [
        f"the push of {result.commit[:7]} ended {result.outcome}"
        for p, result in zip(pushed, results, strict=True)
        if (result.outcome == builds.Phase.LIVE) is p.change.broken
    ]
    return report.Report(
        pushes=results,
        seen=load.window(),
        failures=load.failures(),
        reopened=load.reopened(),
        served_broken=served_broken,
        live=live,
        faults=tuple(faults),
    )
