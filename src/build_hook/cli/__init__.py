"""The ``build-hook`` command: one file per group of commands, loaded when it is called.

Exit status: 0 done, 1 failed, 2 wrong usage.
"""

import importlib
import pathlib
import sys

import click

from build_hook import __version__, errors

# command → the module of this package that holds it, as a function of the same name
# (dashes as underscores; a trailing underscore where the name is taken).
COMMANDS = {
    "serve": "processes",
    "web": "processes",
    "worker": "processes",
    "proxy": "processes",
    "ship": "processes",
    "demo": "demo",
    "add": "projects",
    "remove": "projects",
    "projects": "standings",
    "deploy": "builds",
    "rollback": "builds",
    "cancel": "builds",
    "pause": "pauses",
    "resume": "pauses",
    "builds": "builds",
    "logs": "builds",
    "show": "show",
    "deliveries": "deliveries",
    "replay": "deliveries",
    "explain": "explain",
    "token": "tokens",
    "certificate": "certificates",
    "host-key": "host_keys",
    "doctor": "doctor",
    "gc": "doctor",
}


class _Lazy(click.Group):
    """Imports a command's module only when it is needed: web must stay small."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"build_hook.cli.{COMMANDS[cmd_name]}")
        return getattr(module, cmd_name.replace("-", "_"))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="build-hook")
@click.option(
    "--state",
    type=click.Path(path_type=pathlib.Path, file_okay=False),
    envvar="BUILD_HOOK_STATE",
    help="Folder of the registry, builds and logs.",
)
@click.pass_context
def group(context: click.Context, state: pathlib.Path | None) -> None:
    """Push to git, and the container is rebuilt and replaced with nobody noticing."""
    context.obj = state


def main() -> None:
    """Run a command; an error that is meant for a person is one line on stderr."""
    try:
        group.main(prog_name="build-hook")
    except errors.BuildHookError as error:
        click.echo(f"build-hook: {error}", err=True)
        sys.exit(1)
