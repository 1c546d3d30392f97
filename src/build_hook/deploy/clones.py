"""The clone that a project's scripts work in, as in 2015: a folder that stays, with its ``.git``.

Scripts of then run ``git pull origin master`` in it. Their origin answers from our own mirror, so
that they get the very commit that is being built, with no password and no network.
"""

import pathlib

from build_hook import errors, project
from build_hook.deploy import process
from build_hook.deploy.repository import command

_SAFE = ("-c", "core.hooksPath=/dev/null", "-c", "protocol.file.allow=always")
_TIMEOUT = 300.0


class Clones:
    """The clones of one state folder."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder

    def place(self, of: project.Project) -> pathlib.Path:
        """Where a project's clone is: below its own path, or ours, named as its repository."""
        path = of.scripts.path
        parent = pathlib.Path(path) if path else self._folder / of.name
        return parent / name(of)

    def prepare(
        self, of: project.Project, ref: str, commit: str, mirror: pathlib.Path
    ) -> pathlib.Path:
        """Have the clone at a commit; what is not in git is left alone.

        Raises:
            CheckoutError: if there is something else in its place, or git fails.
        """
        folder, local = self.place(of), branch(ref)
        if not (folder / ".git").is_dir():
            if folder.exists() and any(folder.iterdir()):
                raise errors.CheckoutError(
                    f"{folder} is there and is no clone of git",
                    "Move it away, or choose another script.path",
                )
            _make(folder)
            _git(folder, "init", "--quiet")
        address = command.redact(of.repository)
        _git(folder, "config", "remote.origin.url", address)
        _git(folder, "config", "--replace-all", "remote.origin.fetch",
             "+refs/heads/*:refs/remotes/origin/*")  # fmt: skip
        _git(folder, "config", "--replace-all", f"url.{mirror}.insteadOf", address)
        _git(mirror, "update-ref", f"refs/heads/{local}", commit)
        _git(folder, "fetch", "--quiet", "--update-shallow", "--force", str(mirror),
             f"+refs/heads/{local}:refs/remotes/origin/{local}")  # fmt: skip
        _git(folder, "checkout", "--quiet", "--force", "-B", local, commit)
        return folder


def name(of: project.Project) -> str:
    """What 2015 called the repository: the last part of its address."""
    return of.repository.rstrip("/").rpartition("/")[2].rpartition(":")[2].removesuffix(".git")


def branch(ref: str) -> str:
    """What scripts are told of a ref."""
    return ref.removeprefix("refs/heads/").removeprefix("refs/tags/")


def _make(folder: pathlib.Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise errors.CheckoutError(
            f"The folder {folder} cannot be made: {error.strerror}",
            "Let the user of the worker write there, or choose another script.path",
        ) from error


def _git(folder: pathlib.Path, *arguments: str) -> str:
    try:
        return process.run(
            ("git", *_SAFE, "-C", str(folder), *arguments),
            timeout=_TIMEOUT,
            env={"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8"},
        )
    except process.ProcessError as error:
        raise errors.CheckoutError(
            f"git could not {arguments[0]} in {folder}: {command.redact(error.last_line)}",
            "Look at that folder; if it can be made anew, remove it",
        ) from error
