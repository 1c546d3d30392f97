"""git: what the head of a ref is, and its files in a folder.

Repositories are strangers: hooks are off, only network protocols are allowed, nothing asks at a
terminal, user values stand behind ``--``.
"""

import collections.abc
import contextlib
import pathlib
import re
import shutil
from collections.abc import Iterable

from build_hook import errors, project
from build_hook.deploy import process

_HARDENED = (
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.fsmonitor=false",
    "-c", "protocol.allow=never",
    "-c", "protocol.https.allow=always",
    "-c", "protocol.http.allow=always",
    "-c", "protocol.ssh.allow=always",
    "-c", "protocol.git.allow=always",
    "-c", "http.lowSpeedLimit=1000",
    "-c", "http.lowSpeedTime=30",
    "-c", "gc.auto=0",
    "-c", "maintenance.auto=false",
)  # fmt: skip
_QUIET = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "true",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=10",
    "LC_ALL": "C.UTF-8",
}
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
LIST_TIMEOUT = 60.0
FETCH_TIMEOUT = 600.0
# A shallow fetch brings a pack or a few loose objects for every commit.
_MOST_LOOSE, _MOST_PACKS = 2000, 30

Stop = collections.abc.Callable[[], None]


def heads(repository: str, refs: Iterable[str], check_stop: Stop = lambda: None) -> dict[str, str]:
    """Ask the git host at which commit some refs are; a ref that is not there is left out.

    Raises:
        CheckoutError: if the host does not answer.
    """
    wanted = sorted(refs)
    output = _git(
        "ls-remote", "--", repository, *wanted, *(f"{ref}^{{}}" for ref in wanted),
        timeout=LIST_TIMEOUT, what=f"look at {redact(repository)}", keep=None,
        check_stop=check_stop,
    )  # fmt: skip
    rows = (line.partition("\t") for line in output.splitlines())
    found = {name: commit for commit, _, name in rows if _COMMIT.fullmatch(commit)}
    # a tag object is followed by its commit, named ref^{}
    return {r: found.get(f"{r}^{{}}") or found[r] for r in wanted if r in found}


class Repositories:
    """The bare repositories of one state folder, one per project."""

    def __init__(self, mirrors: pathlib.Path, checkouts: pathlib.Path) -> None:
        self._mirrors = mirrors
        self._checkouts = checkouts

    def fetch(self, of: project.Project, what: str, check_stop: Stop = lambda: None) -> str:
        """Bring a ref's head or a commit, without its history; return the commit.

        Raises:
            CheckoutError: if it cannot be brought.
        """
        mirror = self._mirror(of)
        try:
            _git(
                "fetch", "--quiet", "--no-tags", "--force", "--depth=1", "--no-write-fetch-head",
                "--", of.repository, f"+{what}:refs/build-hook/head",
                mirror=mirror, timeout=FETCH_TIMEOUT,
                what=f"fetch {what} of {redact(of.repository)}",
                check_stop=check_stop,
            )  # fmt: skip
        except errors.BuildHookError:
            _discard_partial(mirror)
            raise
        return _git(
            "rev-parse", "--verify", "refs/build-hook/head^{commit}", mirror=mirror, what="read"
        ).strip()

    def message(self, of: project.Project, commit: str) -> str:
        """A commit's message."""
        return _git("show", "-s", "--format=%B", commit, mirror=self._mirror(of), what="read")

    def size(self, of: project.Project, commit: str) -> int:
        """Bytes of a commit's files, as they would be checked out."""
        listed = _git(
            "ls-tree", "-r", "--format=%(objectsize)", commit,
            mirror=self._mirror(of), what="measure", keep=None,
        )  # fmt: skip
        return sum(int(size) for size in listed.split() if size.isdigit())

    def changed_paths(self, of: project.Project, old: str, new: str) -> list[str] | None:
        """The files that differ between two commits; None if the old one cannot be had."""
        mirror = self._mirror(of)
        try:
            _git("cat-file", "-e", f"{old}^{{commit}}", mirror=mirror, what="look")
        except errors.CheckoutError:
            return None
        listed = _git(
            "diff", "--name-only", "--no-renames", "-z", old, new, "--",
            mirror=mirror, what="compare", keep=None,
        )  # fmt: skip
        return [name for name in listed.split("\0") if name]

    def keep(self, of: project.Project, commit: str) -> None:
        """Hold on to the commit that is live, and let go of the objects of those before it."""
        mirror = self._mirror(of)
        _git("update-ref", "refs/build-hook/live", commit, mirror=mirror, what="note")
        loose = _git("count-objects", mirror=mirror, what="count").partition(" ")[0]
        packs = len(list((mirror / "objects/pack").glob("*.pack")))
        if int(loose) > _MOST_LOOSE or packs > _MOST_PACKS:
            _git("gc", "--quiet", "--prune=now", mirror=mirror, what="tidy", timeout=FETCH_TIMEOUT)

    @contextlib.contextmanager
    def checkout(
        self, of: project.Project, commit: str, build: int
    ) -> collections.abc.Generator[pathlib.Path]:
        """The files of a commit in a folder of their own, for as long as the block runs.

        There is no ``.git`` in it: a file that differs in every build would spoil the builder's
        cache of ``COPY . .``.
        """
        folder = self._checkouts / str(build)
        self.discard(build)
        folder.mkdir(mode=0o700)
        try:
            _git(
                f"--work-tree={folder}", "checkout", "--quiet", "--force", commit, "--", ".",
                mirror=self._mirror(of), what=f"check out {commit[:10]}",
                env={"GIT_INDEX_FILE": str(folder.with_suffix(".index"))},
            )  # fmt: skip
            yield folder
        finally:
            self.discard(build)

    def discard(self, build: int) -> None:
        """Remove what a build checked out."""
        shutil.rmtree(self._checkouts / str(build), ignore_errors=True)
        (self._checkouts / f"{build}.index").unlink(missing_ok=True)

    def discard_all(self) -> None:
        """Remove what crashed builds left."""
        for left in self._checkouts.iterdir():
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)

    def forget(self, name: str) -> None:
        """Remove the repository of a project that is gone."""
        shutil.rmtree(self._mirrors / f"{name}.git", ignore_errors=True)

    def _mirror(self, of: project.Project) -> pathlib.Path:
        mirror = self._mirrors / f"{of.name}.git"
        if not (mirror / "HEAD").exists():
            shutil.rmtree(mirror, ignore_errors=True)
            _git("init", "--quiet", "--bare", "--", str(mirror), what="make a repository")
        # left by a git that was killed; one build per project runs, so nobody holds them
        for lock in (mirror / "shallow.lock", mirror / "refs/build-hook/head.lock"):
            lock.unlink(missing_ok=True)
        _discard_partial(mirror)
        return mirror


def _discard_partial(mirror: pathlib.Path) -> None:
    """Remove what a fetch brought in part: git leaves it, and a full disk stays full."""
    for left in (mirror / "objects").glob("*/tmp_*"):
        left.unlink(missing_ok=True)


def inside(folder: pathlib.Path, relative: str, what: str) -> pathlib.Path:
    """A path of the repository, links followed, that does not leave it.

    Raises:
        CheckoutError: if it is missing or leads out.
    """
    path = (folder / relative).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise errors.CheckoutError(
            f"The {what} {relative!r} leads out of the repository", "Use a path inside it"
        )
    if not path.exists():
        raise errors.CheckoutError(
            f"The repository has no {relative!r}", f"Commit it, or correct the project's {what}"
        )
    return path


def _git(
    *arguments: str,
    what: str,
    mirror: pathlib.Path | None = None,
    timeout: float = LIST_TIMEOUT,
    env: dict[str, str] | None = None,
    keep: int | None = process.TAIL,
    check_stop: Stop = lambda: None,
) -> str:
    where = (f"--git-dir={mirror}",) if mirror else ()
    try:
        return process.run(
            ("git", *_HARDENED, *where, *arguments),
            timeout=timeout,
            env={**_QUIET, **(env or {})},
            cwd=pathlib.Path("/"),
            keep=keep,
            check_stop=check_stop,
        )
    except process.ProcessError as error:
        if any("No space left on device" in line for line in error.tail):
            raise errors.DiskFullError(
                f"git could not {what}: the disk of the state folder is full",
                "Make room, then: build-hook deploy",
            ) from error
        raise errors.CheckoutError(
            f"git could not {what}: {redact(_said(error))}",
            "Check the repository's address and that this machine may read it",
        ) from error


def _said(error: process.ProcessError) -> str:
    """What git and ssh said, without their advice: ours follows."""
    advice = ("Please make sure you have", "and the repository exists")
    lines = [line.strip(" .\r") for line in error.tail if not line.startswith(advice)]
    return "; ".join([line for line in lines if line][-2:]) or str(error)


def redact(text: str) -> str:
    """Take user names and passwords out of URLs."""
    return re.sub(r"(?<=://)[^/@\s]+@", "", text)
