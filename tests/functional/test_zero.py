"""The short form of the long trial of cycles; ``./dev soak zero`` is the full one."""

import concurrent.futures

from tests.soak import cycles, zero

KINDS = {kind.name: kind for kind in zero.KINDS}


def test_cycles_of_two_kinds_at_the_same_time_fail_nothing(host):
    kinds = [KINDS["slow"], KINDS["tcp"]]
    made = [kind.make(host) for kind in kinds]

    with concurrent.futures.ThreadPoolExecutor() as pool:
        found = list(pool.map(lambda kind, of: kind.measure(of, 2), kinds, made))

    assert [cycle.failed for of_kind in found for cycle in of_kind] == [(0,)] * 4
    assert min(cycle.requests for of_kind in found for cycle in of_kind) > 200


def test_websockets_live_until_their_grace_ends(host):
    kind = KINDS["websocket"]

    (cycle,) = kind.measure(kind.make(host), 1)

    assert cycle.failed == (0,)
    assert cycle.requests > 10 * cycles.SOCKETS
