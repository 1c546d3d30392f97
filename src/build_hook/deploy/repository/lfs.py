"""Files that Git LFS keeps beside a repository.

They are asked for at the repository's own address: an ``.lfsconfig`` that names another server is
not followed (git-lfs-config: ``lfs.url`` of the command line goes first).
"""

import functools
import pathlib
import shutil
import urllib.parse
from collections.abc import Iterable

from build_hook import errors
from build_hook.deploy.repository import command

_STORE = "lfs"


def fetch(
    mirror: pathlib.Path, url: str, commit: str, env: dict[str, str], check_stop: command.Stop
) -> None:
    """Bring the files of a commit into the bare repository.

    Raises:
        CheckoutError: if Git LFS is not installed, or the server does not give them.
    """
    require()
    command.run(
        *_options(mirror, url), "lfs", "fetch", "origin", commit,
        mirror=mirror, env=env, timeout=command.FETCH_TIMEOUT, check_stop=check_stop,
        what=f"fetch the LFS files of {command.redact(url)}",
    )  # fmt: skip


def filters(mirror: pathlib.Path, url: str) -> tuple[str, ...]:
    """Options with which a checkout writes the files in place of the pointers to them."""
    return (
        *_options(mirror, url),
        "-c", "filter.lfs.process=git-lfs filter-process",
        "-c", "filter.lfs.smudge=git-lfs smudge -- %f",
        "-c", "filter.lfs.required=true",
    )  # fmt: skip


def size(mirror: pathlib.Path, commit: str) -> int:
    """Bytes of a commit's files that were brought."""
    here = {path.name: path.stat().st_size for path in _stored(mirror)}
    return sum(here.get(name, 0) for name in _names(mirror, commit))


def tidy(mirror: pathlib.Path, commits: Iterable[str]) -> None:
    """Remove the files that none of these commits has."""
    stored = _stored(mirror)
    if stored:
        wanted = {name for commit in commits for name in _names(mirror, commit)}
        for path in stored:
            if path.name not in wanted:
                path.unlink()


@functools.cache
def require() -> None:
    """Have Git LFS.

    Raises:
        CheckoutError: if it is not installed.
    """
    if shutil.which("git-lfs") is None:
        raise errors.CheckoutError(
            "Git LFS is not installed", "Install it: apt-get install git-lfs"
        )


def endpoint(url: str) -> str:
    """Where a repository's LFS server is (git-lfs, server-discovery)."""
    if "://" not in url:
        user_and_host, _, path = url.partition(":")
        url = f"ssh://{user_and_host}/{path.lstrip('/')}"
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        return url
    plain = url.rstrip("/")
    return f"{plain}{'' if plain.endswith('.git') else '.git'}/info/lfs"


def _stored(mirror: pathlib.Path) -> list[pathlib.Path]:
    return [path for path in (mirror / _STORE / "objects").rglob("*") if path.is_file()]


def _names(mirror: pathlib.Path, commit: str) -> list[str]:
    listed = command.run(
        "lfs", "ls-files", "--long", commit, mirror=mirror, what="list LFS files", keep=None
    )
    return [line.partition(" ")[0] for line in listed.splitlines()]


def _options(mirror: pathlib.Path, url: str) -> tuple[str, ...]:
    return (
        "-c", f"remote.origin.url={url}",
        "-c", f"lfs.url={endpoint(url)}",
        "-c", f"lfs.storage={mirror / _STORE}",
        "-c", "lfs.concurrenttransfers=4",
    )  # fmt: skip
