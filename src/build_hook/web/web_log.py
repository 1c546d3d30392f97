"""Log lines of web: key=value on stderr, whatever a stranger sent is escaped."""

import sys
import time

LONGEST_VALUE = 200


def write(event: str, **fields: object) -> None:
    """Log one line."""
    sys.stderr.write(line(event, time.time(), fields))
    sys.stderr.flush()


def line(event: str, now: float, fields: dict[str, object]) -> str:
    """One line; values of None are left out."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    values = [f"{key}={_value(value)}" for key, value in fields.items() if value is not None]
    return " ".join([f"at={stamp} event={event}", *values]) + "\n"


def _value(value: object) -> str:
    if isinstance(value, int | float):
        return str(value)
    text = str(value)
    # ascii() leaves nothing that a terminal could act on, nor letters that only look alike.
    return ascii(text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…")
