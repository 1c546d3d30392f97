"""When something comes again: ``04:30``, ``Mon,Thu 04:30``, ``Mon..Fri 04:30``, ``monthly``."""

import dataclasses
import datetime
import re

from build_hook import windows

_USUAL = "04:00"
_WORDS = {"daily": windows.DAYS, "weekly": windows.DAYS[:1]}
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_HELP = "must be like 04:30, Mon,Thu 04:30, Mon..Fri 04:30, daily, weekly or monthly 04:30"


@dataclasses.dataclass(frozen=True, slots=True)
class Timetable:
    """Days of the week, or the first of each month, and a time of the day."""

    days: frozenset[int]
    is_monthly: bool
    time: datetime.time

    def last(self, now: datetime.datetime) -> datetime.datetime:
        """The newest moment of it that is not after ``now``. Wall clock."""
        day = now.date()
        while True:
            at = datetime.datetime.combine(day, self.time, now.tzinfo)
            if at <= now and self._is_on(day):
                return at
            day -= datetime.timedelta(days=1)

    def _is_on(self, day: datetime.date) -> bool:
        return day.day == 1 if self.is_monthly else day.weekday() in self.days


def parse(text: str) -> Timetable:
    """Read a timetable.

    Raises:
        ValueError: if it is none.
    """
    *words, time = text.lower().split()
    if not _TIME.fullmatch(time):
        words, time = [*words, time], _USUAL
    what = words[0] if words else "daily"
    if len(words) > 1:
        raise ValueError(f"{text!r} {_HELP}")
    at = datetime.time.fromisoformat(time)
    if what == "monthly":
        return Timetable(frozenset(), True, at)
    names = _WORDS.get(what) or [name for part in what.split(",") for name in _range(text, part)]
    return Timetable(frozenset(windows.DAYS.index(name) for name in names), False, at)


def check(text: str) -> str:
    """Make sure that a text is a timetable.

    Raises:
        ValueError: if it is not.
    """
    if not text.strip():
        raise ValueError(_HELP)
    parse(text)
    return text


def _range(text: str, part: str) -> list[str]:
    first, _, last = part.partition("..")
    last = last or first
    if first not in windows.DAYS or last not in windows.DAYS:
        raise ValueError(f"{text!r} {_HELP}")
    begin = windows.DAYS.index(first)
    length = (windows.DAYS.index(last) - begin) % 7 + 1
    return [windows.DAYS[(begin + number) % 7] for number in range(length)]
