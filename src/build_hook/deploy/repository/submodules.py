"""Submodules: which there are, their commits, and their files in the right folders.

``git submodule`` is never run: it makes folders of names that the repository chose and runs git
in what it has just written (CVE-2018-11235, CVE-2024-32002). Here a commit of a submodule is
fetched like any other, into the project's own bare repository, and its files are written into a
folder that was looked at before. Names of submodules and their settings mean nothing.
"""

import dataclasses
import pathlib
import re
from collections.abc import Callable, Iterator

from build_hook import errors, login
from build_hook.deploy.repository import command, fetching

REFS = "refs/build-hook/modules"
_MOST, _DEEPEST = 100, 5
_FILE = ".gitmodules"
_KEY = re.compile(r"submodule\.(.*)\.(path|url)", re.DOTALL | re.IGNORECASE)


@dataclasses.dataclass(frozen=True, slots=True)
class Module:
    """A submodule: its folder below the project's, its address and its commit."""

    path: str
    url: str
    commit: str

    @property
    def ref(self) -> str:
        """What holds on to its commit in the project's repository."""
        return f"{REFS}/{self.commit}"


def walk(
    mirror: pathlib.Path, commit: str, url: str, bring: Callable[[Module], None]
) -> Iterator[Module]:
    """All submodules of a commit, those of submodules after these; each is brought before.

    Raises:
        CheckoutError: if there are too many, or one has no address that may be used.
    """
    waiting = [(commit, url, "", 1)]
    count = 0
    while waiting:
        commit, url, prefix, depth = waiting.pop(0)
        for found in _of_commit(mirror, commit, url, prefix):
            count += 1
            if count > _MOST or depth > _DEEPEST:
                raise errors.CheckoutError(
                    f"The repository has more than {_MOST} submodules, or submodules below more "
                    f"than {_DEEPEST} others",
                    "Put their files into the repository, or turn submodules off",
                )
            bring(found)
            yield found
            waiting.append((found.commit, found.url, f"{found.path}/", depth + 1))


def folder_for(top: pathlib.Path, module: Module) -> pathlib.Path:
    """The folder that a submodule's files belong into: a real one below ``top``, and empty.

    Raises:
        CheckoutError: if a link or a file is in its place.
    """
    folder = top
    for part in module.path.split("/"):
        folder /= part
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise errors.CheckoutError(
                f"The submodule {module.path!r} would be written through a link or a file",
                "This repository is made to do harm, or damaged: look at its .gitmodules",
            )
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise errors.CheckoutError(
            f"The folder of the submodule {module.path!r} holds other files",
            "This repository is made to do harm, or damaged: look at its .gitmodules",
        )
    return folder


def resolve(parent: str, address: str) -> str:
    """The address of a submodule; ``./`` and ``../`` are relative to that of ``parent``.

    Raises:
        ValueError: if it leads out of the parent's host, or is no address.
    """
    if not address.startswith(("./", "../")):
        return login.check_address(address)
    base = parent.rstrip("/")
    while address.startswith(("./", "../")):
        step, _, address = address.partition("/")
        if step == "..":
            base = _above(base)
    return login.check_address(f"{base}{'' if base.endswith(':') else '/'}{address}")


def _above(base: str) -> str:
    found = re.fullmatch(r"([a-zA-Z]+://[^/]+|[^/:]+:)(/?.*)", base)
    if found is None or not found[2].strip("/"):
        raise ValueError("leads out of its host")
    return (found[1] + found[2].rstrip("/").rpartition("/")[0]).rstrip("/")


def _of_commit(mirror: pathlib.Path, commit: str, url: str, prefix: str) -> Iterator[Module]:
    links, kind = _links(mirror, commit)
    if not links:
        return
    if kind not in ("100644", "100755"):
        raise errors.CheckoutError(
            f"{prefix or 'The repository'} has submodules and no {_FILE} that is a plain file",
            "Commit it, or turn submodules off",
        )
    addresses = _addresses(mirror, commit)
    for path, pinned in links.items():
        where = f"{prefix}{path}"
        try:
            yield Module(_plain(where), resolve(url, addresses.get(path, "")), pinned)
        except ValueError as error:
            raise errors.CheckoutError(
                f"The submodule {where!r} cannot be brought: its address {error}",
                f"Correct it in {_FILE}, or turn submodules off",
            ) from error


def _links(mirror: pathlib.Path, commit: str) -> tuple[dict[str, str], str]:
    """Submodules of a commit's tree by path, and the mode of its ``.gitmodules``."""
    listed = command.run(
        "ls-tree", "-r", "-z", "--full-tree", commit, mirror=mirror, what="list files", keep=None
    )
    links: dict[str, str] = {}
    kind = ""
    for row in listed.split("\0"):
        about, _, path = row.partition("\t")
        if about.startswith("160000 "):
            links[path] = about.split()[2]
        elif path == _FILE:
            kind = about.split()[0]
    return links, kind


def _addresses(mirror: pathlib.Path, commit: str) -> dict[str, str]:
    """What ``.gitmodules`` says, by path. Files that it includes are not read (git config)."""
    listed = command.run(
        "config", "-z", "--no-includes", f"--blob={commit}:{_FILE}", "--list",
        mirror=mirror, what=f"read {_FILE}", keep=None,
    )  # fmt: skip
    said: dict[str, dict[str, str]] = {}
    for row in listed.split("\0"):
        key, _, value = row.partition("\n")
        if found := _KEY.fullmatch(key):
            said.setdefault(found[1], {})[found[2].lower()] = value
    return {one["path"]: one["url"] for one in said.values() if {"path", "url"} <= one.keys()}


def _plain(path: str) -> str:
    parts = path.split("/")
    if any(p in ("", ".", "..") or p.lower() == ".git" for p in parts) or not path.isprintable():
        raise errors.CheckoutError(
            f"The submodule {path!r} has a path that nothing may be written to",
            "This repository is made to do harm, or damaged: look at its .gitmodules",
        )
    return path


def is_here(mirror: pathlib.Path, module: Module) -> bool:
    """Whether its commit was brought, whole: the ref is written after the last object."""
    listed = command.run("for-each-ref", module.ref, mirror=mirror, what="look")
    return bool(listed.strip()) and fetching.has(mirror, module.commit)
