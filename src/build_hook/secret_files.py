"""Secrets by name: one 0600 file each, read again when it changes."""

import dataclasses
import os
import pathlib
import re
import time
from collections.abc import Callable

from build_hook import errors, values

_NAME = re.compile(values.SECRET_NAME)


@dataclasses.dataclass(slots=True)
class _Known:
    value: bytes | None = None
    stamp: tuple[int, int, int] | None = None
    next_look: float = float("-inf")


@dataclasses.dataclass(slots=True)
class SecretFiles:
    """The values of one folder; a file is looked at at most every ``interval`` seconds."""

    folder: pathlib.Path
    interval: float = 0.2
    clock: Callable[[], float] = time.monotonic
    _known: dict[str, _Known] = dataclasses.field(default_factory=dict[str, _Known])

    def read(self, name: str) -> bytes | None:
        """The value without the end of its line; None if there is none."""
        known = self._known.get(name)
        if known is None:
            if not _NAME.fullmatch(name):
                return None
            known = self._known[name] = _Known()
        now = self.clock()
        if now >= known.next_look:
            known.next_look = now + self.interval
            self._look(name, known)
        return known.value

    def _look(self, name: str, known: _Known) -> None:
        path = self.folder / name
        try:
            stat = path.stat()
            stamp = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if stamp != known.stamp:
                known.value = path.read_bytes().rstrip(b"\r\n") or None
                known.stamp = stamp
        except OSError:
            known.value = known.stamp = None


def create(folder: pathlib.Path, name: str, value: bytes) -> bool:
    """Write a secret if there is none of that name; returns whether it was written."""
    try:
        handle = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(handle, "wb") as file:
        file.write(value + b"\n")
    return True


def write(path: pathlib.Path, content: bytes) -> None:
    """Write a file that only its folder's owner may read, also when root writes it."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    if os.geteuid() == 0:
        folder = path.parent.stat()
        os.fchown(handle, folder.st_uid, folder.st_gid)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def require(folder: pathlib.Path, name: str, what: str) -> pathlib.Path:
    """The file of a secret that has to be there, readable by its owner only.

    Raises:
        CheckoutError: if it is not so.
    """
    path = folder / name
    try:
        status = path.stat()
    except OSError as error:
        raise errors.CheckoutError(
            f"The {what} {name!r} cannot be read: {error.strerror}",
            f"Write it to the file {path}, of mode 0600",
        ) from error
    if status.st_mode & 0o077:
        raise errors.CheckoutError(
            f"The {what} {name!r} can be read by others", f"Run: chmod 600 {path}"
        )
    if status.st_size == 0:
        raise errors.CheckoutError(f"The {what} {name!r} is empty", f"Write it to the file {path}")
    return path
