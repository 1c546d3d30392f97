"""Who follows a container to its new address must not undo a switch that was faster."""

import dataclasses
import pathlib
from typing import Any, cast

import pytest

from build_hook import settings
from build_hook.deploy import engine, tend
from build_hook.store import records

MOVED = "172.30.0.9"


@dataclasses.dataclass
class Box:
    unit: str = "shop"
    build: int = 1
    addresses: tuple[str, ...] = (MOVED,)
    name: str = "shop-1"
    service: str = ""


class Proxy:
    """Traffic of one project; ``meanwhile`` happens right after the address was looked up."""

    def __init__(self, *addresses: str) -> None:
        self.now = addresses
        self._meanwhile: Any = lambda: None

    def addresses(self, name: str) -> tuple[str, ...]:
        found = self.now
        self._meanwhile()
        return found

    def move(self, name: str, old: tuple[str, ...], new: tuple[str, ...]) -> None:
        if self.now == old:
            self.now = new


class Store:
    def __init__(self, build: int) -> None:
        self.build = build

    def serving(self) -> dict[str, records.Serving]:
        return {"shop": records.Serving("shop", self.build, None)}


def follow(store: Store, proxy: Proxy, *addresses: str) -> tuple[str, ...]:
    tender = tend.Tender(
        settings.Settings(state=pathlib.Path("nowhere")),
        cast("Any", store),
        engine.Engine("unix:///nowhere", "1a2b"),
        cast("Any", proxy),
        lambda _: False,
    )
    tender._refresh(cast("Any", Box(addresses=addresses or (MOVED,))))
    return proxy.now


def test_a_container_that_serves_is_followed():
    assert follow(Store(1), Proxy("172.30.0.2")) == (MOVED,)


def test_a_container_that_does_not_serve_is_not():
    assert follow(Store(2), Proxy("172.30.0.2")) == ("172.30.0.2",)


def test_a_switch_to_another_version_meanwhile_stays():
    store = Store(1)
    proxy = Proxy("172.30.0.2")

    def switch() -> None:
        store.build, proxy.now = 2, ("172.30.0.3",)

    proxy._meanwhile = switch

    assert follow(store, proxy) == ("172.30.0.3",)


def test_a_switch_right_after_the_look_at_what_serves_stays():
    proxy = Proxy("172.30.0.2")

    class Switched(Store):
        def serving(self) -> dict[str, records.Serving]:
            found = super().serving()
            self.build, proxy.now = 2, ("172.30.0.3",)
            return found

    assert follow(Switched(1), proxy) == ("172.30.0.3",)


@pytest.mark.parametrize(
    ("known", "runs", "then"),
    [
        (("a", "b", "c"), ("a", "", "c"), ("a", "", "c")),
        (("a", "b", "c"), ("a", "b"), ("a", "b", "")),
        (("a", "", "c"), ("a", "d", "c"), ("a", "d", "c")),
        (("a", "b"), ("", ""), ("a", "b")),
        (("a",), ("",), ("a",)),
        (("a", "b"), ("a", "b", "new"), ("a", "b")),
    ],
)
def test_replicas_are_passed_over_while_they_are_away(
    known: tuple[str, ...], runs: tuple[str, ...], then: tuple[str, ...]
):
    assert follow(Store(1), Proxy(*known), *runs) == then
