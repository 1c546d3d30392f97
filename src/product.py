"""The product's command line, called as an operator would, with ``--json``."""

import dataclasses
import json
import os
import subprocess
from typing import Any

import service
from build_hook import errors, settings

TIMEOUT = 1800  # a deploy may build for minutes


class ProductError(errors.BuildHookError):
    """The product refused or failed; the message is its own."""


@dataclasses.dataclass(frozen=True)
class Product:
    """The commands of ``build-hook`` for one state folder."""

    settings: settings.Settings

    def call(self, *arguments: str, timeout: float = TIMEOUT) -> Any:
        """Run one command and return what it printed as JSON.

        Raises:
            ProductError: with what it said on stderr.
        """
        argv = [*service.command(self.settings), *arguments, "--json"]
        environment = {**os.environ, **service.environment(self.settings)}
        try:
            done = subprocess.run(
                argv, capture_output=True, check=False, env=environment, timeout=timeout
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ProductError(f"build-hook {arguments[0]} did not end: {error}") from error
        printed = done.stdout.decode(errors="replace")
        if done.returncode != 0 and not printed.strip():
            said = done.stderr.decode(errors="replace").strip()
            raise ProductError(said.removeprefix("build-hook: ") or f"{arguments[0]} failed")
        return _parsed(printed, arguments[0])


def _parsed(printed: str, command: str) -> Any:
    try:
        return json.loads(printed)
    except ValueError as error:
        raise ProductError(f"build-hook {command} printed no JSON") from error
