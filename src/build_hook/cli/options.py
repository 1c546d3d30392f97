"""What the commands share: settings from the context, ``--json``, printing."""

import functools
import json
import time
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


def moment(at: float | None) -> str:
    """A time as people read it."""
    return "-" if at is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def print_json(value: object) -> None:
    """One JSON object on stdout."""
    click.echo(json.dumps(value, indent=2, default=str))


def print_table(head: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    """Columns of plain text, wide enough for what is in them."""
    table = [head, *(tuple(str(cell) for cell in row) for row in rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(head))]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
