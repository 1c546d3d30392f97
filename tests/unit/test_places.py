"""Which slot a version has, and what HAProxy is told so that no other takes new traffic."""

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


def test_every_slot_that_is_ready_and_not_live_is_drained_whoever_left_it_so():
    now = [line(0, "10.0.0.1"), line(1, "10.0.0.2"), line(2, "10.0.0.3", MAINTENANCE)]

    commands = places.switch_commands(places.Place(SHOP, 0, ("10.0.0.9",)), now)

    assert commands == [
        "set server shop-8080/s0 addr 10.0.0.9 port 80",
        "set server shop-8080/s0 state ready",
        "set server shop-8080/s1 state drain",
    ]


def test_a_replica_that_ended_has_no_sessions_to_wait_for():
    several = SHOP.model_copy(update={"deploy": SHOP.deploy.model_copy(update={"replicas": 2})})
    now = [line(0, "10.0.0.1"), runtime.ServerState("shop-8080", "s0.1", "10.0.0.2", 80, READY)]

    commands = places.switch_commands(places.Place(several, 0, ("10.0.0.1", "")), now)

    assert commands[-1] == "set server shop-8080/s0.1 state maint"


def test_workers_from_before_a_reload_are_told_all_that_is_live():
    assert places.move_commands(places.Place(SHOP, 1, ("10.0.0.9",))) == [
        "build-hook move shop-8080 s1,10.0.0.9,80"
    ]
    assert places.move_commands(places.Place(SHOP)) == ["build-hook move shop-8080"]


def test_what_is_held_stands_in_a_line_for_workers_to_come(monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1000.2)
    held = places.Place(SHOP, 0, ("10.0.0.9",), holds=True, hold=places.Hold.lasting(30.5))

    assert held.held == ["shop-8080 1031 31"]
    assert places.Place(SHOP, 0, ("10.0.0.9",)).held == []
