"""What a commit may not bring: more than there is room for, or a builder of its own."""

import os
import pathlib
import re
from collections.abc import Iterator

from build_hook import errors

# What BuildKit's frontends read as parser directives, and stop reading at: comments of two kinds
# (docs.docker.com/reference/dockerfile, parser directives), at most a little more of it.
_DIRECTIVE = re.compile(r"\s*(?P<mark>\#|//)\s*(?P<name>[a-z][a-z0-9]*)\s*=\s*(?P<value>.*)", re.I)
_KNOWN = re.compile(r"(?:docker\.io/)?docker/dockerfile(?:-upstream)?(?:[:@][\w.:-]+)?")
_BYTE_ORDER, _SHEBANG = "\ufeff", "#!"
_MOST_BYTES = 2**20


def require_known_builder(dockerfile: pathlib.Path) -> None:
    """Refuse a Dockerfile whose ``syntax`` is a stranger's: its steps would escape the limits.

    Raises:
        ImageError: if it names one.
    """
    with dockerfile.open("rb") as file:
        found = file.read(_MOST_BYTES + 1)
    if len(found) > _MOST_BYTES:
        raise errors.ImageError("The Dockerfile has more than 1 MiB", "Move some of it into files")
    text = found.decode(errors="replace").removeprefix(_BYTE_ORDER)
    if text.startswith(_SHEBANG):
        text = text.partition("\n")[2]
    if text.lstrip().startswith("{"):
        raise errors.ImageError(
            "The Dockerfile is JSON, for a builder of its own", "Write a Dockerfile"
        )
    for name in _builders(text):
        if name and not _KNOWN.fullmatch(name):
            raise errors.ImageError(
                f"The Dockerfile asks for the builder {name!r}",
                "Use docker/dockerfile, or take the syntax line out",
            )


def _builders(text: str) -> Iterator[str]:
    """The values of ``syntax`` among the lines at the top that are directives."""
    for line in text.split("\n"):
        found = _DIRECTIVE.fullmatch(line)
        if found is None:
            return
        if found["name"].lower() == "syntax":
            yield found["value"].strip().partition(" ")[0]


def size(folder: pathlib.Path) -> int:
    """Bytes of all files below a folder."""
    return sum(
        os.lstat(os.path.join(where, name)).st_size
        for where, _, names in os.walk(folder)
        for name in names
    )


def require_small(found: int, megabytes: int) -> None:
    """Refuse a commit whose files hold more bytes than this.

    Raises:
        LimitError: if they do.
    """
    if found > megabytes * 2**20:
        raise errors.LimitError(
            f"The files of the commit hold {found // 2**20} MiB, more than {megabytes}",
            "Leave out what the image does not need, or raise build_context_mb",
        )
