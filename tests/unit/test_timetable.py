import datetime

import pytest

from build_hook import timetable

NOW = datetime.datetime(2026, 11, 20, 4, 29)  # a Friday


@pytest.mark.parametrize(
    ("table", "last"),
    [
        ("04:30", "2026-11-19 04:30"),
        ("04:29", "2026-11-20 04:29"),
        ("daily", "2026-11-20 04:00"),
        ("weekly", "2026-11-16 04:00"),
        ("weekly 05:00", "2026-11-16 05:00"),
        ("Mon,Thu 04:30", "2026-11-19 04:30"),
        ("Mon..Wed 04:30", "2026-11-18 04:30"),
        ("Sat..Mon 04:30", "2026-11-16 04:30"),
        ("Fri", "2026-11-20 04:00"),
        ("monthly", "2026-11-01 04:00"),
        ("monthly 23:00", "2026-11-01 23:00"),
    ],
)
def test_newest_moment_that_has_come(table, last):
    assert timetable.parse(table).last(NOW) == datetime.datetime.fromisoformat(last)


@pytest.mark.parametrize("wrong", ["", "yearly", "24:00", "Mon Tue 04:30", "Mon..Foo", "4:30"])
def test_what_is_no_timetable_is_refused(wrong):
    with pytest.raises(ValueError, match="must be like"):
        timetable.check(wrong)
