"""``projects``: how they stand."""

from typing import Any

import click

from build_hook import holds, registry, settings, standing
from build_hook.cli import options
from build_hook.deploy import condition
from build_hook.store import builds


@click.command()
@options.as_json
@options.with_settings
def projects(with_settings: settings.Settings, as_json: bool) -> None:
    """List the projects, what serves and what is wrong."""
    current = registry.load(with_settings.registry)
    store = builds.Builds(with_settings.database)
    wrong = condition.read(with_settings.run)
    holding = holds.now(with_settings, store)
    rows = [_row(found) for found in standing.look(current.projects, store, wrong, holding)]
    if as_json:
        options.print_json(
            {"projects": rows, "registry_problem": wrong.registry, "engine_problem": wrong.engine}
        )
        return
    for problem in filter(None, (wrong.registry, wrong.engine)):
        click.secho(f"warning: {problem}", fg="yellow", err=True)
    options.print_table(
        ("project", "ports", "hosts", "live", "commit", "last build", "note"),
        [
            (
                row["name"],
                ", ".join(str(port) for port in dict.fromkeys(row["ports"])) or "-",
                ", ".join(row["hosts"]) or "-",
                row["live"] or "-",
                (row["commit"] or "-")[:10],
                row["last_build"] or "-",
                row["problem"] or row["held"] or row["warning"] or "",
            )
            for row in rows
        ],
    )


def _row(found: standing.Standing) -> dict[str, Any]:
    of, live, last = found.project, found.live, found.last
    return {
        "name": of.name,
        "repository": of.repository or None,
        "image": of.image,
        "ref": of.ref,
        "ports": [port.published for port in of.ports],
        "hosts": list(of.hosts),
        "certificates": list(of.certificates),
        "live": live.id if live else None,
        "commit": live.commit if live else None,
        "live_since": live.finished if live else None,
        "last_build": f"{last.id} {last.phase}" if last else None,
        "reason": last.reason if last else None,
        "problem": found.problem,
        "warning": found.warning,
        "held": found.held,
    }
