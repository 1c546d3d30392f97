"""Bases and constraints of a bundle, as Juju parses them."""

import re

_NUMBER = r"[0-9]+"
_SIZE = r"[0-9]+(\.[0-9]+)?[MGTP]?"
_WORDS = r"[^ ,]+(,[^ ,]+)*"
_CONSTRAINTS = {
    "allocate-public-ip": r"(true|false)",
    "arch": r"(amd64|arm64|ppc64el|riscv64|s390x)",
    "container": r"(none|lxd)",
    "cores": _NUMBER,
    "cpu-cores": _NUMBER,
    "cpu-power": _NUMBER,
    "image-id": r"[^ ]+",
    "instance-role": r"[^ ]+",
    "instance-type": r"[^ ]+",
    "mem": _SIZE,
    "root-disk": _SIZE,
    "root-disk-source": r"[^ ]+",
    "spaces": _WORDS,
    "tags": _WORDS,
    "virt-type": r"[^ ]+",
    "zones": _WORDS,
}
_BASE = re.compile(r"[a-z][a-z0-9-]*@[0-9][0-9.]*(/(stable|candidate|beta|edge)(/[^/ ]+)?)?")


def fault_of_base(text: object) -> str | None:
    """Why this is no base; None if it is one."""
    if isinstance(text, str) and _BASE.fullmatch(text):
        return None
    return f"base {text} is not OS@VERSION or OS@VERSION/RISK"


def fault_of_constraints(text: object) -> str | None:
    """What of the constraints Juju does not understand; None if it does all of it."""
    if not isinstance(text, str):
        return f"constraints {text} are not a text"
    seen: set[str] = set()
    for word in text.split():
        name, equals, value = word.partition("=")
        if not equals:
            return f"malformed constraint {word}"
        if name not in _CONSTRAINTS:
            return f"unknown constraint {name}"
        if name in seen:
            return f"constraint {name} is set twice"
        if value and not re.fullmatch(_CONSTRAINTS[name], value):
            return f"bad constraint {word}"
        seen.add(name)
    return None
