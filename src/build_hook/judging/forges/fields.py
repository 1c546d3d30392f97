"""Reading a body that may hold anything: a wrong type is an absent value, never an error."""

import re
from collections.abc import Iterable
from typing import Any, cast

from build_hook import push, remotes

_COMMIT = re.compile(r"[0-9a-fA-F]{7,64}")
_AUTHORITY = re.compile(r"https?://(?:[^/@]*@)?([^/?#@]+)", re.I)
_LONGEST = 1024
_EMPTY: dict[str, Any] = {}


def mapping(value: object) -> dict[str, Any]:
    """The object, or an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else _EMPTY


def mappings(value: object) -> list[dict[str, Any]]:
    """The objects of a list."""
    if not isinstance(value, list):
        return []
    items = cast("list[object]", value)
    return [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]


def text(value: object) -> str | None:
    """A string that can be stored: halves of surrogate pairs are replaced."""
    if not isinstance(value, str):
        return None
    if value.isascii():
        return value
    return value.encode("utf-8", "replace").decode()


def name(value: object) -> str | None:
    """A printable string of sensible length, as names, refs and ids are."""
    if not isinstance(value, str) or not value or len(value) > _LONGEST:
        return None
    return value if value.isprintable() else None


def word(value: object) -> str:
    """The string, or an empty one; str() would walk through whatever else a body holds."""
    return value if isinstance(value, str) else ""


def first_name(*values: object) -> str | None:
    """The first of several that is a name."""
    return next((found for value in values if (found := name(value))), None)


def number(value: object) -> int | None:
    """An integer; True and False are none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def commit(value: object) -> str | None:
    """A commit id in hexadecimal digits; forty or more zeros stand for none at all."""
    return value if isinstance(value, str) and _COMMIT.fullmatch(value) else None


def names(*values: object) -> tuple[str, ...]:
    """Those that are names, in order, without repetition."""
    return tuple(dict.fromkeys(found for value in values if (found := name(value))))


def full_name(*parts: object) -> str | None:
    """``owner/name`` of its parts, if all of them are there."""
    found = [name(part) for part in parts]
    return "/".join(part for part in found if part) if all(found) else None


def host(*urls: object) -> str | None:
    """The host of the first value that is a URL with one; a bare host's URL will do."""
    for url in urls:
        remote = remotes.parse(f"{url.rstrip('/')}/-") if isinstance(url, str) else None
        if remote is not None:
            return remote.host
    return None


def registry(url: object) -> str | None:
    """The host of a URL with its port, as names of images have it."""
    match = _AUTHORITY.match(url) if isinstance(url, str) else None
    return name(match[1].lower()) if match else None


def image(url: object) -> tuple[str, str, str | None] | None:
    """Registry, repository and tag of an image such as ``ghcr.io/team/app:1``."""
    found = name(url)
    host_name, slash, rest = (found or "").lower().partition("/")
    path, colon, _ = rest.rpartition(":")
    if not slash or not rest or not any(mark in host_name for mark in ".:"):
        return None
    tag = (found or "").rpartition(":")[2] if colon else ""
    return host_name, path if colon else rest, tag or None


def full_name_in(*urls: object) -> str | None:
    """The full name of a repository in the first value that is its URL."""
    for url in urls:
        remote = remotes.parse(url) if isinstance(url, str) else None
        if remote is not None:
            return name(remote.name)
    return None


def change(
    ref: object,
    before: object = None,
    after: object = None,
    *,
    created: object = None,
    deleted: object = False,
    forced: object = False,
    head: dict[str, Any] | None = None,
) -> push.Change | None:
    """One ref that moved; None if it names no valid ref.

    ``head`` is the commit at ``after`` with ``message`` and ``author.name``, where the body has
    it. What the host does not say about ``created`` and ``deleted`` follows from the ids.
    """
    full = full_ref(ref)
    if full is None:
        return None
    old, new = commit(before), commit(after)
    gone = deleted is True or push.is_null(new)
    made = created if isinstance(created, bool) else push.is_null(old)
    message = text(head.get("message")) if head else None
    author = text(mapping(head.get("author")).get("name")) if head else None
    kind, short = push.split_ref(full)
    return push.Change(
        full, kind, short, old, new, made and not gone, gone, forced is True, message, author
    )


def full_ref(value: object) -> str | None:
    """A valid full ref; a short name is a branch."""
    ref = name(value)
    if ref is None:
        return None
    ref = ref if ref.startswith("refs/") else f"refs/heads/{ref}"
    return ref if push.is_ref(ref) else None


def present(changes: Iterable[push.Change | None]) -> tuple[push.Change, ...]:
    """Those that could be read."""
    return tuple(change for change in changes if change is not None)


def head(payload: dict[str, Any], after: object) -> dict[str, Any]:
    """The commit with the id ``after``: hosts differ in which end of ``commits`` is newest."""
    commits = (mapping(payload.get("head_commit")), *mappings(payload.get("commits")))
    if not isinstance(after, str):
        return _EMPTY
    return next((found for found in commits if found.get("id") == after), _EMPTY)
