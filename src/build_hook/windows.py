"""Windows of time that come again: ``Fri 16:00 - Mon 07:00``, ``22:00 - 06:00``, or two dates."""

import dataclasses
import datetime
import re

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = 24 * 60
_WEEK = 7 * _DAY
_MOMENT = re.compile(r"(?:(?P<day>[a-z]{3}) )?(?P<hour>[01]\d|2[0-3]):(?P<minute>[0-5]\d)")
_DATE = re.compile(r"\d{4}-\d\d-\d\d( [0-2]\d:[0-5]\d)?")
_HELP = "must be like Fri 16:00 - Mon 07:00, 22:00 - 06:00 or 2026-12-24 - 2027-01-02"


@dataclasses.dataclass(frozen=True, slots=True)
class Window:
    """A window as minutes of a period, which is a day or a week; or once, between two moments."""

    text: str
    period: int
    begin: int
    length: int
    once: tuple[datetime.datetime, datetime.datetime] | None = None

    def end(self, at: datetime.datetime) -> datetime.datetime | None:
        """When the window that a moment lies in ends; None if it lies in none. Wall clock."""
        if self.once is not None:
            return self.once[1] if self.once[0] <= at < self.once[1] else None
        minute = at.weekday() * _DAY + at.hour * 60 + at.minute
        passed = (minute - self.begin) % self.period
        if passed >= self.length:
            return None
        return at.replace(second=0, microsecond=0) + datetime.timedelta(
            minutes=self.length - passed
        )


def parse(text: str) -> Window:
    """Read a window.

    Raises:
        ValueError: if it is none.
    """
    begin, dash, end = (part.strip() for part in text.partition(" - "))
    if not dash:
        raise ValueError(f"{text!r} {_HELP}")
    if _DATE.fullmatch(begin) and _DATE.fullmatch(end):
        return _once(text, begin, end)
    first, last = _minute(text, begin), _minute(text, end)
    if first[0] != last[0]:
        raise ValueError(f"{text!r} needs a day on both sides, or on none")
    period = _WEEK if first[0] else _DAY
    length = (last[1] - first[1]) % period
    if not length:
        raise ValueError(f"{text!r} has no length")
    return Window(text, period, first[1], length)


def check(text: str) -> str:
    """Make sure that a text is a window.

    Raises:
        ValueError: if it is not.
    """
    parse(text)
    return text


def _once(text: str, begin: str, end: str) -> Window:
    first, last = (datetime.datetime.fromisoformat(part) for part in (begin, end))
    if first >= last:
        raise ValueError(f"{text!r} ends before it begins")
    return Window(text, 0, 0, 0, (first, last))


def _minute(text: str, part: str) -> tuple[bool, int]:
    found = _MOMENT.fullmatch(part.lower())
    day = found and found["day"]
    if not found or (day and day not in DAYS):
        raise ValueError(f"{text!r} {_HELP}")
    minute = int(found["hour"]) * 60 + int(found["minute"])
    return bool(day), minute + (DAYS.index(day) * _DAY if day else 0)
