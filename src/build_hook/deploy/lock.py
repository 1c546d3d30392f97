"""The lock on a state folder: it has one worker, whose process the file names."""

import fcntl
import os
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
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file
