"""The registered hooks as anybody may see them, in the shape that hooked gave them."""

import html
import urllib.parse
from collections.abc import Iterable
from typing import Any

from build_hook import project

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>build-hook</title>
<h1>build-hook</h1>
<table><tr><th>Project<th>Repository<th>Branch</tr>
{rows}
</table>
"""


def hook(entry: project.Project) -> dict[str, Any]:
    """One project in hooked's shape."""
    listed: dict[str, Any] = {
        "name": entry.name,
        "repository": entry.image or without_password(entry.repository),
        "branch": entry.branch,
        "command": None,
        "cwd": None,
    }
    # not every warning: that anybody may start a build is nobody's business
    return listed | ({"warning": entry.loose_match[0]} if entry.loose_match else {})


def without_password(url: str) -> str:
    """A clone URL as strangers may see it."""
    parts = urllib.parse.urlsplit(url)
    if not parts.netloc:
        return url  # user@host:path has no room for a password
    user, at, host = parts.netloc.rpartition("@")
    if parts.scheme in ("http", "https"):  # a token may stand in the place of the user
        user, at = "", ""
    return parts._replace(netloc=f"{user.partition(':')[0]}{at}{host}").geturl()


def page(hooks: Iterable[dict[str, Any]]) -> str:
    """The list for a browser."""
    return _PAGE.format(rows=_rows(hooks))


def _rows(hooks: Iterable[dict[str, Any]]) -> str:
    return "\n".join(
        "<tr>"
        + "".join(f"<td>{html.escape(h[k])}" for k in ("name", "repository", "branch"))
        + (f"<td>{html.escape(h['warning'])}" if "warning" in h else "")
        for h in hooks
    )
