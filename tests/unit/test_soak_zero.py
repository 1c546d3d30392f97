"""How the long trial of cycles judges and reports."""

import concurrent.futures

import pytest

from tests.soak import cycles, zero

KINDS = {kind.name: kind for kind in zero.KINDS}


def cycle(*failed: int, gap: float = 20.0) -> cycles.Cycle:
    return cycles.Cycle(100, failed, gap, 1.0)


@pytest.mark.parametrize(
    ("failed", "gap", "good"),
    [((0, 0, 2), 20, True), ((0, 0, 3), 20, False), ((1, 1, 0), 20, False), ((0,), 300, False)],
)
def test_verdict(failed, gap, good):
    assert cycles.is_good([cycle(*failed, gap=gap)], count=1, most=2) is good


def test_a_cycle_too_few_is_not_good():
    assert not cycles.is_good([cycle(0)], count=2)
    assert not cycles.is_good([], count=0)


def done(result):
    future: concurrent.futures.Future[list[cycles.Cycle]] = concurrent.futures.Future()
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
    return future


def test_a_kind_that_breaks_is_bad_and_the_others_keep_their_rows(capsys):
    outcome = zero.Outcome(1, 2)

    zero.note(outcome, KINDS["http"], done([cycle(0)]))
    zero.note(outcome, KINDS["websocket"], done([cycle(0, gap=3100)]))
    zero.note(outcome, KINDS["udp"], done([cycle(0, 0, 0, 0, 0, 3)]))
    zero.note(outcome, KINDS["tcp"], done(AssertionError("no answer")))

    assert outcome.bad == ["udp", "tcp"]
    assert "tcp broke: AssertionError: no answer" in capsys.readouterr().err
    words, rest, sockets = outcome.parts
    assert words.startswith("3 kinds on one product, up to 2 at the same time")
    assert rest.count("\n") == 3
    assert sockets.count("\n") == 2


def test_streams_are_asked_at_least_200_times_a_second():
    plain = [kind for kind in zero.KINDS if kind.measure is cycles.streams]

    assert [kind.name for kind in plain] == ["http", "tcp", "slow", "stubborn", "recreate"]
    assert 2 * cycles.CLIENTS * 12 >= 200
