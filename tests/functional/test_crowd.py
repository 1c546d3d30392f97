"""The short forms of the crowd; ``./dev soak crowd`` is the whole of it."""

from build_hook.store import builds
from tests.functional import host as hosts
from tests.soak import crowd

MOST = 4 * crowd.START_WITHIN  # a machine that runs tests does much else


def test_all_that_push_at_once_end_live_in_a_fair_order(base):
    with hosts.serving(base, **crowd.KNOBS) as host:
        found = crowd.crowd(host, 6)

    assert found["last commit live"] == "6 of 6"
    assert int(found["pushes"]) == 6 + crowd.GREEDY - 1
    overtaken = int(found["most places that a project was overtaken by"])
    assert overtaken <= crowd.KNOBS["concurrency"], "the greedy project is served out of turn"


def test_worker_starts_quickly_beside_projects_that_run(base):
    with hosts.serving(base, start=False, **crowd.KNOBS) as host:
        took = crowd.start(host, 12, 2)

        assert len(took) == 2
        assert max(one.found for one in took) < MOST
        assert {c.project for c in host.containers.roll_call()} == {f"runs-{n}" for n in range(12)}
        serving = host.store.serving()["runs-0"]
        assert host.store.get(serving.build).cause is builds.Cause.RECONCILE
