"""What the commands share: settings from the context, ``--json``, printing."""

import functools
import json
from collections.abc import Callable
from typing import Any

import click

from build_hook import settings

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Hand the command the settings of the state folder as its first argument."""

    @click.pass_context
    @functools.wraps(command)
    def wrapped(context: click.Context, /, *args: Any, **kwargs: Any) -> None:
        command(settings.load(context.find_root().obj), *args, **kwargs)

    return wrapped


def print_json(value: object) -> None:
    """One JSON object on stdout."""
    click.echo(json.dumps(value, indent=2, default=str))
