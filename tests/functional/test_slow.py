"""The short form of slow and large senders; ``./dev soak slow`` is the whole of it."""

from benchmarks import web_stage
from tests.soak import slow


def test_good_deliveries_are_taken_while_a_crowd_takes_long():
    with web_stage.server(web_stage.OURS) as stage:
        slow.deliver(stage.port)

        seen = slow.measure(stage, slow=60, large=3, seconds=1)

    assert seen.refused == 0
    assert seen.deliveries > 10
    assert seen.grown_mb < slow.MOST_MB
    assert "413: 3" in seen.crowd_got
