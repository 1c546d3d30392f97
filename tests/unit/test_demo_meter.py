import pytest

from build_hook.demo import meter


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(meter.time, "monotonic", lambda: now[0])
    return now


def test_gap_is_between_successes_and_failures_do_not_end_it(clock):
    counts = meter.Meter()
    counts.success("v1")
    clock[0] += 0.4
    counts.failure("refused")
    clock[0] += 0.6
    counts.success("v1")

    taken = counts.take()

    assert taken.gap == pytest.approx(1.0)
    assert (taken.requests, taken.failed) == (3, 1)


def test_gap_that_goes_on_counts_in_every_report(clock):
    counts = meter.Meter()
    counts.success("v1")
    clock[0] += 1
    first = counts.take()
    clock[0] += 1
    second = counts.take()

    assert (first.gap, second.gap) == (pytest.approx(1.0), pytest.approx(2.0))


def test_no_gap_before_the_first_answer(clock):
    counts = meter.Meter()
    counts.failure("refused")
    clock[0] += 5

    assert counts.take().gap == 0


def test_version_is_first_seen_once(clock):
    counts = meter.Meter()
    counts.success("v1")
    assert counts.take().first_seen == {"v1": 100.0}
    clock[0] += 1
    counts.success("v1")
    counts.success("v2")

    taken = counts.take()

    assert taken.first_seen == {"v2": 101.0}
    assert taken.versions == {"v1": 1, "v2": 1}
    assert taken.last == "v2"
