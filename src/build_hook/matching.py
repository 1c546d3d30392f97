"""Which projects an event is about: by host and full repository name, then by ref.

Never by a repository's short name. The index is built once for each reading of the registry,
so that an answer takes as long with ten thousand projects as with ten.
"""

import functools
import re
from collections.abc import Callable, Iterable, Iterator

from build_hook import project, push, remotes

_WILD = re.compile(r"[*?\[]")
# Bitbucket Data Center serves PROJECT/name over HTTP below scm/, perhaps below a context path.
_SCM = re.compile(r"(?:.*/)?scm/([^/]+/[^/]+)")
_SCM_FLAVOUR, _NO_HOST = "scm:", ""


class Index:
    """The projects, ready to be found."""

    def __init__(self, projects: Iterable[project.Project]) -> None:
        self._projects: dict[str, project.Project] = {}
        self._by_key: dict[str, list[project.Project]] = {}
        for entry in projects:
            self._projects[entry.name] = entry
            for key in _project_keys(entry.repository):
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
    known = frozenset(_project_keys(entry.repository))
    keys = [*_event_keys(event), *_names(event, _NO_HOST)]
    return any(key in known for key in keys)


def follows(entry: project.Project, ref: str) -> bool:
    """Whether the project tracks that full ref: its tags' pattern if it has one, else its ref."""
    if entry.tags is not None:
        kind, name = push.split_ref(ref)
        return kind is push.RefType.TAG and matches(entry.tags, name)
    return matches(entry.ref, ref)


def matches(pattern: str, text: str) -> bool:
    """Whether a text fits a pattern.

    ``*`` is any text and ``?`` any character within one part of a path, ``[a-z]`` one of a set,
    ``**`` any text across ``/``. Without these a pattern is the text itself, case and all.
    """
    if not _WILD.search(pattern):
        return pattern == text
    tokens = _tokens(pattern)
    # All places in the pattern that the text so far may have led to, side by side: text comes
    # from strangers, and must not send a regular expression backtracking.
    reached = _onward(tokens, {0})
    for character in text:
        reached = _onward(tokens, {place for at in reached for place in tokens[at](character, at)})
    return len(tokens) - 1 in reached


_Token = Callable[[str, int], tuple[int, ...]]


@functools.lru_cache(maxsize=4096)
def _tokens(pattern: str) -> tuple[_Token, ...]:
    parts = re.findall(r"\*\*+|\*|\?|\[!?[^\]]+\]|.", pattern, re.DOTALL)
    return (*(_token(part) for part in parts), _end)


def _token(part: str) -> _Token:
    """Where a character leads from here: on to the next place, or round again at a star."""
    if part.startswith("**"):
        return _any_text
    if part == "*":
        return _text_of_a_part
    if part == "?":
        return lambda character, at: (at + 1,) if character != "/" else ()
    if len(part) > 1:
        chosen = re.compile(_set(part[1:-1]))
        return lambda character, at: (at + 1,) if chosen.fullmatch(character) else ()
    return lambda character, at: (at + 1,) if character == part else ()


def _any_text(character: str, at: int) -> tuple[int, ...]:
    return (at,)


def _text_of_a_part(character: str, at: int) -> tuple[int, ...]:
    return (at,) if character != "/" else ()


def _end(character: str, at: int) -> tuple[int, ...]:
    return ()


def _set(inner: str) -> str:
    negated, inner = inner.startswith("!"), inner.removeprefix("!")
    escaped = re.sub(r"([\\\[&~|^])", r"\\\1", inner)
    return f"(?!/)[{'^' if negated else ''}{escaped}]"


def _onward(tokens: tuple[_Token, ...], places: set[int]) -> set[int]:
    """These places, and those behind stars that may stand for nothing."""
    found = set(places)
    for at in places:
        while tokens[at] in (_any_text, _text_of_a_part):
            at += 1
            found.add(at)
    return found


def _project_keys(url: str) -> Iterator[str]:
    remote = remotes.parse(url)
    if remote is None:
        return
    scm = _SCM.fullmatch(remote.path)
    for host in (remote.host, _NO_HOST):
        yield f"{host}/{remote.path}"
        if scm:
            yield f"{_SCM_FLAVOUR}{host}/{scm[1]}"
    if remote.host == remotes.AZURE:
        # the event says project/repository where the URL has the organisation as well
        yield f"{_NO_HOST}/{remote.path.partition('/')[2]}"


def _event_keys(event: push.Event) -> Iterator[str]:
    for url in event.clone_urls:
        remote = remotes.parse(url)
        if remote is not None:
            yield f"{remote.host}/{remote.path}"
    host = remotes.canonical(event.host) if event.host else _NO_HOST
    yield from _names(event, host)


def _names(event: push.Event, host: str) -> Iterator[str]:
    for name in (event.repository, event.renamed_from):
        if name is None:
            continue
        path = remotes.plain(name)
        yield f"{host}/{path}"
        if event.provider == "bitbucket-dc":
            yield f"{_SCM_FLAVOUR}{host}/{path}"
