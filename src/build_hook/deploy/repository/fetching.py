"""Bringing one commit into a bare repository, without its history where the host allows it."""

import pathlib

from build_hook import errors
from build_hook.deploy.repository import command

_LOOK = "refs/build-hook/look"
# How deep the refs are brought when a commit is looked for below them; then all of it
# (git fetch, --depth).
_DEPTHS = (1, 50, 500, 2**31 - 1)


def fetch(
    mirror: pathlib.Path,
    url: str,
    wanted: str,
    into: str,
    env: dict[str, str],
    check_stop: command.Stop,
) -> str:
    """Bring a ref's head or a commit and let the ref ``into`` point at it; the commit.

    Raises:
        CheckoutError: if it cannot be brought.
    """
    try:
        _fetch(mirror, url, (f"+{wanted}:{into}",), env, check_stop, 1, wanted)
    except command.NotAdvertisedError:
        if not command.COMMIT.fullmatch(wanted):
            raise
        _look_below_refs(mirror, url, wanted, env, check_stop)
        command.run("update-ref", into, wanted, mirror=mirror, what=f"note {wanted}")
    return command.run(
        "rev-parse", "--verify", f"{into}^{{commit}}", mirror=mirror, what="read"
    ).strip()


def has(mirror: pathlib.Path, commit: str) -> bool:
    """Whether a commit is there."""
    try:
        command.run("cat-file", "-e", f"{commit}^{{commit}}", mirror=mirror, what="look")
    except errors.CheckoutError:
        return False
    return True


def size(mirror: pathlib.Path, commit: str) -> int:
    """Bytes of a commit's files."""
    listed = command.run(
        "ls-tree", "-r", "--format=%(objectsize)", commit,
        mirror=mirror, what="measure", keep=None,
    )  # fmt: skip
    return sum(int(size) for size in listed.split() if size.isdigit())


def read(mirror: pathlib.Path, commit: str, name: str, most: int) -> str | None:
    """The text of a file at the top of a commit; None if there is none.

    Raises:
        RepositorySettingsError: if it is no plain file, or has more than ``most`` bytes.
    """
    listed = command.run(
        "ls-tree", "-z", "--format=%(objectmode) %(objectname) %(objectsize)",
        commit, "--", name, mirror=mirror, what=f"look for {name}",
    ).strip("\0\n")  # fmt: skip
    if not listed:
        return None
    mode, blob, size = listed.split()
    if mode not in ("100644", "100755") or int(size) > most:
        raise errors.RepositorySettingsError(
            f"{name} is no plain file of at most {most} bytes", "Commit it as one"
        )
    return command.run("cat-file", "blob", blob, mirror=mirror, what=f"read {name}", keep=None)


def drop(mirror: pathlib.Path, below: str, but: frozenset[str] = frozenset()) -> None:
    """Remove the refs below a name, so that what they held may be tidied away."""
    listed = command.run(
        "for-each-ref", "--format=%(refname)", below, mirror=mirror, what="list", keep=None
    )
    for ref in set(listed.splitlines()) - but:
        command.run("update-ref", "-d", ref, mirror=mirror, what="tidy")


def discard_partial(mirror: pathlib.Path) -> None:
    """Remove what a fetch brought in part: git leaves it, and a full disk stays full."""
    for left in (mirror / "objects").glob("*/tmp_*"):
        left.unlink(missing_ok=True)


def _look_below_refs(
    mirror: pathlib.Path, url: str, commit: str, env: dict[str, str], check_stop: command.Stop
) -> None:
    """For hosts that give out refs only: bring all of them, deeper until the commit is there."""
    refs = (f"+refs/heads/*:{_LOOK}/heads/*", f"+refs/tags/*:{_LOOK}/tags/*")
    try:
        for depth in _DEPTHS:
            _fetch(mirror, url, refs, env, check_stop, depth, commit)
            if has(mirror, commit):
                return
    finally:
        drop(mirror, _LOOK)
    raise errors.CheckoutError(
        f"{command.redact(url)} has no commit {commit} below its branches and tags",
        "Push it to a branch, or name a ref that is there",
    )


def _fetch(
    mirror: pathlib.Path,
    url: str,
    refs: tuple[str, ...],
    env: dict[str, str],
    check_stop: command.Stop,
    depth: int,
    wanted: str,
) -> None:
    try:
        command.run(
            "fetch", "--quiet", "--no-tags", "--force", f"--depth={depth}",
            "--no-write-fetch-head", "--no-recurse-submodules", "--", url, *refs,
            mirror=mirror, timeout=command.FETCH_TIMEOUT, env=env, check_stop=check_stop,
            what=f"fetch {wanted} of {command.redact(url)}",
        )  # fmt: skip
    except errors.BuildHookError:
        discard_partial(mirror)
        raise
