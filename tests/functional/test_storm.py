"""The storm in short; ``python -m tests.soak.storm`` is the whole of it."""

from tests.functional import host as hosts
from tests.soak import storm


def test_every_answered_delivery_ends_built_superseded_or_skipped(base):
    with hosts.serving(base, **storm.KNOBS) as host:
        counts = storm.run(host, 20, 300, 12, {"web": 5, "worker": 5})

    assert counts.is_good, counts.faults
    assert min(counts.kills.values()) >= 1
    assert sum(counts.ends.values()) == counts.deliveries == 300
    assert counts.ends["live"] >= 20
    assert counts.ends["superseded"] > 100
