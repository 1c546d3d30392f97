"""``projects``: how they stand."""

from typing import Any

import click

from build_hook import holds, makeup, part, registry, settings, standing
from build_hook.cli import options
from build_hook.deploy import condition, sightings
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
    seen = sightings.read(with_settings.run)
    rows = [
        _row(found, makeup.of_project(found.project.name, store, seen))
        for found in standing.look(current.projects, store, wrong, holding)
    ]
    if as_json:
        problems = {
            "registry_problem": wrong.registry,
            "engine_problem": wrong.engine,
            "web_problem": wrong.web,
        }
        options.print_json({"projects": rows, **problems})
        return
    for problem in wrong.whole:
        click.secho(f"warning: {problem}", fg="yellow", err=True)
    options.print_table(
        ("project", "ports", "hosts", "live", "commit", "last build", "note"),
        [line for row in rows for line in _lines(row)],
    )


def _lines(row: dict[str, Any]) -> list[tuple[object, ...]]:
    """A project, and below it its services."""
    whole = (
        row["name"],
        ", ".join(str(port) for port in dict.fromkeys(row["ports"])) or "-",
        ", ".join(row["hosts"]) or "-",
        row["live"] or "-",
        (row["commit"] or "-")[:10],
        row["last_build"] or "-",
        row["problem"] or row["held"] or row["warning"] or "",
    )
    return [whole, *(_service_line(one) for one in row["services"])]


def _service_line(of: dict[str, Any]) -> tuple[object, ...]:
    build, commit = of["build"] or "-", (of["commit"] or "-")[:10]
    return (f"  {of['name']}", "", "", build, commit, "", of["condition"])


def _row(found: standing.Standing, services: tuple[makeup.Service, ...]) -> dict[str, Any]:
    of, live, last = found.project, found.live, found.last
    units = part.units([of])
    return {
        "name": of.name,
        "repository": of.repository or None,
        "image": of.image,
        "ref": of.ref,
        "ports": [port.published for unit in units for port in unit.ports],
        "hosts": [host for unit in units for host in unit.hosts],
        "certificates": [name for unit in units for name in unit.certificates],
        "live": live.id if live else None,
        "commit": live.commit if live else None,
        "live_since": live.finished if live else None,
        "last_build": f"{last.id} {last.phase}" if last else None,
        "reason": last.reason if last else None,
        "problem": found.problem,
        "warning": found.warning,
        "held": found.held,
        "services": [one.row for one in services],
    }
