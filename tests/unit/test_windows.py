import datetime

import pytest

from build_hook import windows, zones


def at(text):
    return datetime.datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("window", "moment", "end"),
    [
        # 2026-11-20 is a Friday
        ("Fri 16:00 - Mon 07:00", "2026-11-20 15:59", None),
        ("Fri 16:00 - Mon 07:00", "2026-11-20 16:00", "2026-11-23 07:00"),
        ("Fri 16:00 - Mon 07:00", "2026-11-22 23:59:59", "2026-11-23 07:00"),
        ("Fri 16:00 - Mon 07:00", "2026-11-23 06:59", "2026-11-23 07:00"),
        ("Fri 16:00 - Mon 07:00", "2026-11-23 07:00", None),
        ("sat 00:00 - sat 12:00", "2026-11-21 03:00", "2026-11-21 12:00"),
        ("22:00 - 06:00", "2026-11-20 21:59", None),
        ("22:00 - 06:00", "2026-11-20 23:00", "2026-11-21 06:00"),
        ("22:00 - 06:00", "2026-11-21 05:59", "2026-11-21 06:00"),
        ("08:00 - 18:00", "2026-11-21 12:00", "2026-11-21 18:00"),
        ("2026-12-24 - 2027-01-02", "2026-12-23 23:59", None),
        ("2026-12-24 - 2027-01-02", "2027-01-01 12:00", "2027-01-02 00:00"),
        ("2026-12-24 18:00 - 2026-12-27", "2026-12-24 17:59", None),
    ],
)
def test_moment_lies_in_a_window_until_its_end(window, moment, end):
    assert windows.parse(window).end(at(moment)) == (end and at(end))


@pytest.mark.parametrize(
    "wrong",
    ["", "Fri 16:00", "Fri 16:00 - 07:00", "25:00 - 26:00", "Foo 16:00 - Mon 07:00",
     "16:00 - 16:00", "2027-01-02 - 2026-12-24", "Fri - Mon"],
)  # fmt: skip
def test_what_is_no_window_is_refused(wrong):
    with pytest.raises(ValueError, match=r"must be like|needs a day|no length|ends before"):
        windows.check(wrong)


def test_zone_says_which_clock_counts():
    moment = datetime.datetime(2026, 11, 20, 15, 30, tzinfo=datetime.UTC).timestamp()

    assert zones.wall_clock(moment, "Europe/Berlin") == at("2026-11-20 16:30")
    assert zones.moment(at("2026-11-20 16:30"), "Europe/Berlin") == moment
    with pytest.raises(ValueError, match="no time zone that this machine knows"):
        zones.check("Europe/Nowhere")
