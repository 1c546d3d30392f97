"""Patterns of branches, tags and paths.

``*`` is any text and ``?`` any character within one part of a path, ``[a-z]`` one of a set,
``[!a-z]`` none of it, ``**`` any text across ``/``.
"""

import functools
import re
from collections.abc import Callable

_WILD = re.compile(r"[*?\[]")
_Token = Callable[[str, int], tuple[int, ...]]


def fits(pattern: str, text: str) -> bool:
    """Whether the whole text fits; a pattern without wildcards is the text itself."""
    if not _WILD.search(pattern):
        return pattern == text
    tokens = _tokens(pattern)
    # All places in the pattern that the text so far may have led to, side by side: text comes
    # from strangers, and must not send a regular expression backtracking.
    reached = _onward(tokens, {0})
    for character in text:
        reached = _onward(tokens, {place for at in reached for place in tokens[at](character, at)})
    return len(tokens) - 1 in reached


def check(pattern: str) -> str:
    """The pattern, if it is one.

    Raises:
        ValueError: if one of its sets makes no sense.

    """
    try:
        _tokens(pattern)
    except re.error as error:
        raise ValueError(f"is not a pattern: {error.msg}") from error
    return pattern


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
