"""What a commit may not bring: more than there is room for, or a builder of its own."""

import os
import pathlib
import re

from build_hook import errors

# The first lines of a Dockerfile may name an image that builds in BuildKit's place: in comments
# of two kinds, or in JSON (docs.docker.com/reference/dockerfile, parser directives).
_SYNTAX = re.compile(r"""^\s*(?:\#|//)\s*syntax\s*=\s*(\S+)|"syntax"\s*:\s*"([^"]*)""", re.I)
_KNOWN = re.compile(r"^(?:docker\.io/)?docker/dockerfile(?:-upstream)?(?:[:@][\w.:-]+)?$")
_HEAD = 4096


def require_known_builder(dockerfile: pathlib.Path) -> None:
    """Refuse a Dockerfile whose ``syntax`` is a stranger's: its steps would escape the limits.

    Raises:
        ImageError: if it names one.
    """
    with dockerfile.open("rb") as file:
        head = file.read(_HEAD).decode(errors="replace")
    for line in head.splitlines():
        found = _SYNTAX.search(line)
        name = found and (found[1] or found[2])
        if name and not _KNOWN.fullmatch(name):
            raise errors.ImageError(
                f"The Dockerfile asks for the builder {name!r}",
                "Use docker/dockerfile, or take the syntax line out",
            )


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
