"""git, run so that neither the user's configuration nor a proxy changes what happens."""

import functools
import os
import pathlib
import shutil
import subprocess

from build_hook import errors

# One fixed person, so that no commit needs the user's name.
_PERSON = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Demo Developer"), ("EMAIL", "developer@example.com"))
}


@functools.cache
def path() -> str:
    """Where git is.

    Raises:
        CheckoutError: if it is not installed, or cannot serve over HTTP.
    """
    found = shutil.which("git")
    if found is None:
        raise errors.CheckoutError("git is not installed", "Install it: apt-get install git")
    return found


def environment() -> dict[str, str]:
    """What git sees of the environment."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return (
        kept
        | _PERSON
        | {
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "HOME": os.devnull,
        }
    )


def run(
    *arguments: str, folder: pathlib.Path | None = None, settings: dict[str, str] | None = None
) -> str:
    """Run one git command and give back what it prints.

    ``settings`` are git's own, for this command only; they travel in the environment, where no
    other user sees them.

    Raises:
        CheckoutError: if it fails.
    """
    done = subprocess.run(
        [path(), *arguments],
        cwd=folder,
        env=environment() | _as_variables(settings or {}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        raise errors.CheckoutError(f"git {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def refs(repository: pathlib.Path) -> dict[str, str]:
    """The refs of a repository with the object of each."""
    lines = run("for-each-ref", "--format=%(refname) %(objectname)", folder=repository)
    return dict(line.split(" ", 1) for line in lines.splitlines())


def _as_variables(settings: dict[str, str]) -> dict[str, str]:
    variables = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings.items()):
        variables[f"GIT_CONFIG_KEY_{number}"] = key
        variables[f"GIT_CONFIG_VALUE_{number}"] = value
    return variables
