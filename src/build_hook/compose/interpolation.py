"""``${NAME:-default}`` in a compose file; names stand for what the operator gave, only.

https://github.com/compose-spec/compose-spec/blob/main/12-interpolation.md
"""

import re
from collections.abc import Mapping

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RULE = re.compile(r"(:?[-?+])(.*)", re.DOTALL)
_DEEPEST = 8


def fill(text: str, environment: Mapping[str, str], depth: int = 0) -> str:
    """A text with its variables filled in; ``$$`` is a dollar sign.

    A variable that nobody gave and that has no default is an error: Compose takes nothing for
    it, and what was meant as a password would be empty.

    Raises:
        ValueError: if a variable is missing, or the text cannot be understood.
    """
    if depth > _DEEPEST:
        raise ValueError("defaults stand in defaults too deeply")
    done: list[str] = []
    rest = text
    while "$" in rest:
        before, _, rest = rest.partition("$")
        done.append(before)
        part, rest = _one(rest, environment, depth)
        done.append(part)
    return "".join((*done, rest))


def _one(rest: str, environment: Mapping[str, str], depth: int) -> tuple[str, str]:
    """What stands behind a dollar sign, filled in, and what follows it."""
    if rest.startswith("$"):
        return "$", rest[1:]
    if rest.startswith("{"):
        end = _closing(rest)
        return _braced(rest[1:end], environment, depth), rest[end + 1 :]
    name = _NAME.match(rest)
    if not name:
        raise ValueError("a single $ must be followed by a name; write $$ for a dollar sign")
    return _plain(name[0], environment), rest[name.end() :]


def _braced(inner: str, environment: Mapping[str, str], depth: int) -> str:
    name = _NAME.match(inner)
    rule = _RULE.fullmatch(inner[name.end() :]) if name else None
    if not name or (inner != name[0] and rule is None):
        raise ValueError(f"${{{inner}}} cannot be understood")
    if rule is None:
        return _plain(name[0], environment)
    given = environment.get(name[0])
    has = given is not None and (given != "" or not rule[1].startswith(":"))
    match rule[1][-1]:
        case "+":
            return fill(rule[2], environment, depth + 1) if has else ""
        case "-":
            return given or "" if has else fill(rule[2], environment, depth + 1)
        case _:
            if has:
                return given or ""
            raise ValueError(f"the variable {name[0]} is missing: {rule[2] or 'it is required'}")


def _plain(name: str, environment: Mapping[str, str]) -> str:
    if name not in environment:
        raise ValueError(f"the variable {name} is missing and has no default")
    return environment[name]


def _closing(rest: str) -> int:
    """Where the brace that ``rest`` begins with is closed."""
    depth = 0
    for at, letter in enumerate(rest):
        depth += (letter == "{") - (letter == "}")
        if depth == 0:
            return at
    raise ValueError("a ${ is not closed")
