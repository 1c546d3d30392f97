"""The command of the build hook on this machine, as an operator would run it."""

import json
import pathlib
import subprocess
from typing import Any

COMMAND = pathlib.Path("/usr/local/bin/build-hook")
TIMEOUT = 3600  # a build may take as long


class CommandError(Exception):
    """The build hook refused or failed, or there is none; the text says what to do."""


def ask(*arguments: str) -> Any:
    """Run one command; what it answers.

    Raises:
        CommandError: with what it said.

    """
    if not COMMAND.exists():
        raise CommandError(
            "There is no build hook on this machine: run it on a unit that shares one with it"
        )
    try:
        done = subprocess.run(
            [str(COMMAND), *arguments, "--json"],
            check=False, capture_output=True, text=True, timeout=TIMEOUT,
        )  # fmt: skip
        return json.loads(done.stdout)
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"The build hook did not end within {TIMEOUT} s") from error
    except ValueError as error:
        said = done.stderr.strip().removeprefix("build-hook: ")
        raise CommandError(said or "The build hook said nothing") from error
