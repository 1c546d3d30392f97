"""Figures as tables: medians, with the range in brackets."""

import json
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import rich.box
import rich.console
import rich.table
import rich.text


def spread(values: Sequence[float], digits: int = 0) -> str:
    """``median [least-most]``."""
    if not values:
        return "-"
    middle, least, most = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f} [{least:.{digits}f}-{most:.{digits}f}]"


def summary(values: Sequence[float]) -> dict[str, Any]:
    """The same for machines."""
    return {
        "median": statistics.median(values),
        "min": min(values),
        "max": max(values),
        "values": list(values),
    }


def show(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on stdout; the first column is words, the others are figures."""
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD)
    for number, name in enumerate(head):
        table.add_column(name, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(rich.text.Text(cell) for cell in row))
    console = rich.console.Console()
    if not console.is_terminal:
        console.width = 120
    console.print(title, markup=False, highlight=False)
    console.print(table)


def show_json(value: Mapping[str, Any]) -> None:
    """Print one object on stdout."""
    print(json.dumps(value, indent=2))
