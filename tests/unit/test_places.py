"""A version that comes back keeps the slot that sends traffic to it."""

import pytest

from build_hook import project
from build_hook.proxy import places, rendering, runtime

SHOP = project.Project.model_validate(
    {
        "name": "shop",
        "repository": "https://git.example/shop.git",
        "ports": [{"target": 80, "published": 8080}],
    }
)
(LISTENER,) = rendering.listeners(SHOP, None)
READY, MAINTENANCE = 0, 1


def line(slot: int, address: str, state: int = READY, backend: str = LISTENER.name):
    return runtime.ServerState(backend, rendering.slot_name(slot), address, 80, state)


@pytest.mark.parametrize(
    ("lines", "slot"),
    [
        ([line(0, "127.0.0.1", MAINTENANCE), line(2, "10.0.0.2")], 2),
        ([line(2, "10.0.0.2", MAINTENANCE)], None),
        ([line(2, "10.0.0.3")], None),
        ([line(2, "10.0.0.2", backend="shop-two-80")], None),
        ([], None),
    ],
)
def test_slot_is_the_one_that_is_ready_at_the_address(lines, slot):
    assert places.slot_of(places.Target(SHOP, ("10.0.0.2", "")), lines) == slot
