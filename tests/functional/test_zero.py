"""The short form of the long trial of cycles; ``./dev soak zero`` is the full one."""

import pytest

from tests.soak import zero


@pytest.mark.parametrize("kind", [kind for kind in zero.STREAMS if kind.name in ("slow", "tcp")],
                         ids=lambda kind: kind.name)  # fmt: skip
def test_cycles_under_load_fail_nothing(host, kind):
    found = zero.streams(host, kind, 2)

    assert [cycle.failed for cycle in found] == [(0,), (0,)]
    assert min(cycle.requests for cycle in found) > 200


def test_websockets_live_until_their_grace_ends(host):
    (cycle,) = zero.websockets(host, 1)

    assert cycle.failed == (0,)
    assert cycle.requests > 10 * zero.SOCKETS


@pytest.mark.parametrize(
    ("failed", "gap", "good"),
    [((0, 0, 2), 20, True), ((0, 0, 3), 20, False), ((1, 1, 0), 20, False), ((0,), 300, False)],
)
def test_verdict(failed, gap, good):
    assert zero.is_good([zero.Cycle(100, failed, gap, 1.0)], most=2) is good
