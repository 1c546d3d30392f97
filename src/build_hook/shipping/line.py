"""A line of a log, as it is pushed."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """What was said, when (in nanoseconds of Unix time) and by whom."""

    at: int
    text: str
    labels: tuple[tuple[str, str], ...] = ()


def labels(**given: str) -> tuple[tuple[str, str], ...]:
    """Labels in an order that does not change."""
    return tuple(sorted(given.items()))
