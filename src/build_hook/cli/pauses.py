"""``pause`` and ``resume``: pushes wait, and only the newest is built afterwards."""

import dataclasses

import click

from build_hook import errors, registry, settings, wake
from build_hook.cli import options
from build_hook.store import pauses, session


@click.command()
@click.argument("project", required=False)
@click.option("--reason", help="Shown wherever somebody asks why nothing happens.")
@options.as_json
@options.with_settings
def pause(
    with_settings: settings.Settings, project: str | None, reason: str | None, as_json: bool
) -> None:
    """Let the pushes of a project, or of all, wait; what serves serves on."""
    _require(with_settings, project)
    made = pauses.begin(session.Session(with_settings.database), project, reason)
    if as_json:
        options.print_json({"project": project, "paused": True, **dataclasses.asdict(made)})
    else:
        click.echo(f"{_name(project)} paused; go on: build-hook resume {project or ''}".rstrip())


@click.command()
@click.argument("project", required=False)
@options.as_json
@options.with_settings
def resume(with_settings: settings.Settings, project: str | None, as_json: bool) -> None:
    """Go on; of the pushes that wait only the newest of each project is built."""
    was = pauses.end(session.Session(with_settings.database), project)
    wake.send(with_settings.run)
    if as_json:
        options.print_json({"project": project, "paused": False, "was_paused": was})
    else:
        click.echo(f"{_name(project)} {'resumed' if was else 'not paused'}")


def _name(project: str | None) -> str:
    return f"{project} is" if project else "all projects are"


def _require(with_settings: settings.Settings, project: str | None) -> None:
    if project and registry.load(with_settings.registry).find(project) is None:
        raise errors.RegistryError(
            f"There is no project {project}", "List them: build-hook projects"
        )
