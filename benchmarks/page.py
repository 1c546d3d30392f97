"""Pages of evidence: words that people write, and blocks that a command writes anew.

A block stands between ``<!-- NAME -->`` and ``<!-- end of NAME -->``.
"""

import datetime
import os
import pathlib
import platform
import re
from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as Markdown writes it."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def write(path: pathlib.Path, name: str, command: str, parts: Sequence[str]) -> None:
    """Put a block into a page, in the place of its predecessor, or at the end."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    block = "\n\n".join([begin, _made_by(command), *parts, end])
    text = path.read_text(encoding="utf-8") if path.exists() else f"# {name}\n"
    if begin in text:
        pattern = f"{re.escape(begin)}.*?{re.escape(end)}"
        text = re.sub(pattern, lambda _: block, text, flags=re.DOTALL)
    else:
        text = f"{text.rstrip()}\n\n{block}\n"
    path.write_text(text, encoding="utf-8")


def _made_by(command: str) -> str:
    day = datetime.datetime.now(datetime.UTC).strftime("%-d %B %Y")
    load = os.getloadavg()[1]
    return (
        f"Made by `{command}` on {day}: {os.cpu_count()} processors, Python "
        f"{platform.python_version()}, load average of the machine {load:.1f} at the end."
    )
