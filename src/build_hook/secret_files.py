"""Secrets by name: one 0600 file each, read again when it changes."""

import dataclasses
import os
import pathlib
import re

from build_hook import project

_NAME = re.compile(project.SECRET_NAME)
_Stamp = tuple[int, int, int]


@dataclasses.dataclass(slots=True)
class SecretFiles:
    """The values of one folder."""

    folder: pathlib.Path
    _known: dict[str, tuple[_Stamp, bytes]] = dataclasses.field(
        default_factory=dict[str, tuple[_Stamp, bytes]]
    )

    def read(self, name: str) -> bytes | None:
        """The value without the end of its line; None if there is none."""
        if not _NAME.match(name):
            return None
        path = self.folder / name
        try:
            stat = path.stat()
            stamp = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            known = self._known.get(name)
            if known is None or known[0] != stamp:
                known = self._known[name] = (stamp, path.read_bytes().rstrip(b"\r\n"))
        except OSError:
            self._known.pop(name, None)
            return None
        return known[1] or None


def create(folder: pathlib.Path, name: str, value: bytes) -> bool:
    """Write a secret if there is none of that name; returns whether it was written."""
    try:
        handle = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(handle, "wb") as file:
        file.write(value + b"\n")
    return True
