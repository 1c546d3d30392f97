"""How the long trial of hostile builds compares and judges."""

import pytest

from tests.soak import hostile


def seen(quiet, meanwhile, *, failed=0, ended="The build was stopped"):
    return hostile.Seen("fork bomb", 3, 4.0, ended, 900, failed, quiet, meanwhile)


def test_each_stretch_is_compared_with_its_quiet_neighbours():
    found = seen((10.0, 20.0, 40.0, 40.0), (30.0, 30.0, 20.0))

    assert found.ratios == [2.0, 1.0, 0.5]
    assert found.ratio == 1.0


def test_one_bad_round_of_three_is_no_verdict_two_are():
    assert seen((10.0,) * 4, (90.0, 12.0, 12.0)).is_good
    assert not seen((10.0,) * 4, (90.0, 16.0, 12.0)).is_good


@pytest.mark.parametrize("other", [{"failed": 1}, {"ended": ""}])
def test_a_failed_request_or_a_build_that_was_not_stopped_is_not_good(other):
    assert not seen((10.0,) * 4, (10.0,) * 3, **other).is_good


def test_p99_is_of_the_answers_that_came():
    assert hostile.p99([0.001] * 98 + [0.5, None]) == 500
    assert hostile.p99([None]) == 0


def test_row_has_the_range_of_the_rounds():
    row = hostile.row(seen((10.0, 20.0), (30.0,)))

    assert row[-3:] == ("15.0 [10.0-20.0]", "30.0 [30.0-30.0]", "2.00 [2.00-2.00]")
    assert len(row) == len(hostile.COLUMNS)
