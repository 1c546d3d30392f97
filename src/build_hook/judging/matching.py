"""Which projects an event is about: by host and full repository name, then by ref.

An image is a name of its own kind: a project that pulls one hears of pushes of that image only,
and its ref is the image's tag.

By a repository's short name only where a project is registered so. The index is built once for
each reading of the registry, so that an answer takes as long with ten thousand projects as with
ten.
"""

import functools
import itertools
import re
from collections.abc import Iterable, Iterator

from build_hook import patterns, project, push, remotes

# Bitbucket Data Center serves PROJECT/name over HTTP below scm/, perhaps below a context path.
_SCM = re.compile(r"(?:.*/)?scm/([^/]+/[^/]+)")
_SCM_FLAVOUR, _IMAGE_FLAVOUR, _SHORT_FLAVOUR, _NO_HOST = "scm:", "image:", "short:", ""


class Index:
    """The projects, ready to be found."""

    def __init__(self, projects: Iterable[project.Project]) -> None:
        self._projects: dict[str, project.Project] = {}
        self._by_key: dict[str, list[project.Project]] = {}
        for entry in projects:
            self._projects[entry.name] = entry
            for key in _known_keys(entry.origin, entry.match == "short-name"):
                self._by_key.setdefault(key, []).append(entry)

    def find(self, name: str) -> project.Project | None:
        """The project of that name."""
        return self._projects.get(name)

    def candidates(self, event: push.Event) -> tuple[project.Project, ...]:
        """The projects whose repository the event is about."""
        found = {
            entry.name: entry for key in _event_keys(event) for entry in self._by_key.get(key, ())
        }
        return tuple(found.values())


def concerns(entry: project.Project, event: push.Event) -> bool:
    """Whether an event addressed to a project may be about its repository.

    The full name is enough here: the sender knows the project's own address and secret, and
    hosts often have another name inside than outside. An event without a repository, such as a
    ping, concerns everybody.
    """
    if event.repository is None:
        return True
    known = _known_keys(entry.origin, entry.match == "short-name")
    # the full name decides nearly always, and needs no URL to be read
    keys = itertools.chain(_names(event, _NO_HOST), _event_keys(event))
    return any(key in known for key in keys)


def pulls(entry: project.Project, image: push.ImagePush) -> bool:
    """Whether a project follows the repository of an image, by its full name as ``concerns``."""
    return f"{_IMAGE_FLAVOUR}{_NO_HOST}/{image.repository}" in _known_keys(entry.origin, False)


def follows(entry: project.Project, ref: str) -> bool:
    """Whether the project follows that full ref: by its pattern if it has one, else by its ref."""
    kind, name = push.split_ref(ref)
    if entry.tags is not None:
        return kind is push.RefType.TAG and patterns.fits(entry.tags, name)
    if entry.branches is not None:
        return kind is push.RefType.BRANCH and patterns.fits(entry.branches, name)
    return entry.ref == ref


@functools.lru_cache(maxsize=1024)  # of what the operator registered, never of what was sent
def _known_keys(url: str, is_short: bool) -> frozenset[str]:
    return frozenset(_project_keys(url, is_short))


def _project_keys(url: str, is_short: bool) -> Iterator[str]:
    if url.startswith("image://"):
        host, _, path = url.removeprefix("image://").partition("/")
        yield f"{_IMAGE_FLAVOUR}{host}/{path}"
        yield f"{_IMAGE_FLAVOUR}{_NO_HOST}/{path}"
        return
    remote = remotes.parse(url)
    if remote is None:
        return
    if is_short:
        yield _short(remote.path)
    scm = _SCM.fullmatch(remote.path)
    for host in (remote.host, _NO_HOST):
        yield f"{host}/{remote.path}"
        if scm:
            yield f"{_SCM_FLAVOUR}{host}/{scm[1]}"
    if remote.host == remotes.AZURE or "/_git/" in url:
        # the event says project/repository where the URL has organisation or collection as well
        yield f"{_NO_HOST}/{'/'.join(remote.path.split('/')[-2:])}"


def _event_keys(event: push.Event) -> Iterator[str]:
    for image in event.images:
        host = image.registry or (event.host if event.kind is push.Kind.IMAGE_PUSH else None)
        yield f"{_IMAGE_FLAVOUR}{host or _NO_HOST}/{image.repository}"
    if event.kind is push.Kind.IMAGE_PUSH:
        return
    for url in event.clone_urls:
        remote = remotes.parse(url)
        if remote is not None:
            yield f"{remote.host}/{remote.path}"
            yield _short(remote.path)
    host = remotes.canonical(event.host) if event.host else _NO_HOST
    yield from _names(event, host)


def _names(event: push.Event, host: str) -> Iterator[str]:
    for name in (event.repository, event.renamed_from):
        if name is None:
            continue
        path = remotes.plain(name)
        yield f"{host}/{path}"
        yield _short(path)
        if event.provider.startswith("bitbucket-"):
            yield f"{_SCM_FLAVOUR}{host}/{path}"


def _short(path: str) -> str:
    return f"{_SHORT_FLAVOUR}{path.rpartition('/')[2]}"
