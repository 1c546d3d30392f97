"""The short form of what the world does to a host; ``./dev soak disasters`` is the whole of it."""

from tests.soak import disasters

NUMBER = 221  # of the bridge of an engine of its own
FAULTS = (
    "git host cuts connections in the middle of a fetch",
    "clock an hour ahead, and back",
    "last page of the database spoilt",
)


def test_the_last_push_goes_live_and_nothing_else_changes():
    chosen = [fault for fault in disasters.FAULTS if fault[0] in FAULTS]

    with disasters.scene(NUMBER) as of:
        found = [disasters.inject(of, fault) for fault in chosen]

    assert len(found) == len(FAULTS)
    assert all(is_good for _, is_good in found), found
    assert [row[1:2] + row[3:] for row, _ in found] == [["live", "0", "0", "0"]] * len(FAULTS)
