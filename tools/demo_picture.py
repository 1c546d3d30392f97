"""The demo's table as a picture: ``./dev demo --json | python tools/demo_picture.py``.

Writes ``docs/demo.svg`` from what that run measured.
"""

import io
import json
import pathlib
import re
import sys
from typing import Any

import rich.console

from build_hook.demo import report, traffic

PICTURE = pathlib.Path(__file__).parents[1] / "docs" / "demo.svg"
WIDTH = 96


def read(said: dict[str, Any]) -> report.Report:
    """The report that an object of ``--json`` was made from."""
    return report.Report(
        pushes=tuple(
            report.Push(
                message="",
                seen=window(push),
                **{name: push[name] for name in ("project", "commit", "outcome", "reason")},
                build_s=push["build_s"],
                push_to_live_s=push["push_to_live_s"],
            )
            for push in said["pushes"]
        ),
        seen=window(said),
        failures=said["failures"],
        reopened=said["reopened"],
        served_broken=said["served_broken"],
        live=said["live"],
        faults=tuple(said["faults"]),
    )


def window(said: dict[str, Any]) -> traffic.Window:
    """The figures that a push and the whole have in common."""
    return traffic.Window(said["requests"], said["failed"], said["longest_gap_ms"])


def draw(found: report.Report) -> str:
    """The table on a terminal, as SVG that loads nothing."""
    console = rich.console.Console(
        record=True, width=WIDTH, file=io.StringIO(), force_terminal=True
    )
    console.print(found.table())
    for remark in found.remarks():
        console.print(remark, markup=False, highlight=False)
    picture = console.export_svg(title="./dev demo")
    return re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)


if __name__ == "__main__":
    PICTURE.write_text(draw(read(json.load(sys.stdin))), encoding="utf-8")
