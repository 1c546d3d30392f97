"""The lock on a state folder: it has one worker, whose process the file names.

The kernel lets go of it when that process ends; the file's time says when the process last went
round its loop.
"""

import contextlib
import fcntl
import os
import time
from typing import TextIO

from build_hook import errors, settings


def take(with_settings: settings.Settings) -> TextIO:
    """Take the lock, for as long as the file that is returned lives.

    Raises:
        SettingsError: if another worker has it.
    """
    file = (with_settings.run / "worker.lock").open(
        "a", encoding="ascii"
    )  # who has it may have written it
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise errors.SettingsError(
            f"Another worker runs on {with_settings.state}", "Stop it first"
        ) from error
    with contextlib.suppress(OSError):  # a full disk: who has it, is not told
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
    return file


def is_held(file: TextIO) -> bool:
    """Whether a worker has the lock."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    fcntl.flock(file, fcntl.LOCK_UN)
    return False


def beat(file: TextIO) -> None:
    """Give a sign of life, as who has the lock."""
    with contextlib.suppress(OSError):
        os.utime(file.fileno())


def silence(file: TextIO) -> float:
    """For how many seconds who has the lock gave no sign of life."""
    return max(0.0, time.time() - os.fstat(file.fileno()).st_mtime)
