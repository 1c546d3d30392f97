"""Values of secrets, taken out of whatever is about to be logged or recorded."""

import pathlib
import re
from collections.abc import Iterable, Iterator

from build_hook import part, project

_MASK = "***"
# What is shorter is found in too many innocent places to be told apart.
_SHORTEST = 5


class Redactor:
    """Replaces every value that it was given, the longest first."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        found = sorted({v for v in values if len(v) >= _SHORTEST}, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, found))) if found else None

    def __call__(self, text: str) -> str:
        """The text without them."""
        return self._pattern.sub(_MASK, text) if self._pattern else text


def of_project(of: project.Project, secrets: pathlib.Path, confided: pathlib.Path) -> Redactor:
    """Hides the secrets that a project names: those it builds, runs and is called with.

    ``confided`` has what they held when builds were deployed that may be gone back to.
    """
    services = of.compose.services.values() if of.compose else ()
    logins = {*filter(None, (of.registry_login,)), *of.build.registry_logins.values()}
    names = {
        *of.webhook_secrets,
        *of.build.ssh.values(),
        *logins,
        *(secret.source for secret in of.build.secrets),
        *(name for one in (of, *services) for name in one.env_file),
        *(secret.source for one in (of, *services) for secret in one.secrets),
    }
    held = (f for f in confided.glob("*/*/values/*") if part.root(f.parts[-4]) == of.name)
    files = (*(secrets / name for name in names), *held)
    passwords = (line.partition(":")[2] for name in logins for line in _values(secrets / name))
    return Redactor((*(value for file in files for value in _values(file)), *passwords))


def _values(file: pathlib.Path) -> Iterator[str]:
    """Each line, and of KEY=VALUE the value as well; a line is what a log can hold of a file."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        if line.startswith(("-----", "#")):
            continue  # BEGIN and END of a key are no secret
        yield line.strip()
        yield line.partition("=")[2].strip(" \t'\"")
