"""The shape of values that may be anything, told to the type checker."""

from typing import Any, TypeGuard


def is_mapping(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a value read from JSON or YAML is an object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether a value read from JSON or YAML is a list."""
    return isinstance(value, list)
