"""Who follows a container to its new address must not undo a switch that was faster."""

import dataclasses
from typing import Any, cast

from build_hook.deploy import tend
from build_hook.store import records

MOVED = "172.30.0.9"


@dataclasses.dataclass
class Box:
    unit: str = "shop"
    build: int = 1
    address: str = MOVED
    is_running: bool = True
    name: str = "shop-1"


class Proxy:
    """Traffic of one project; ``meanwhile`` happens right after the address was looked up."""

    def __init__(self, address: str, meanwhile: Any = None) -> None:
        self.now = address
        self._meanwhile = meanwhile or (lambda: None)

    def address(self, name: str) -> str:
        found = self.now
        self._meanwhile()
        return found

    def move(self, name: str, old: str, new: str) -> None:
        if self.now == old:
            self.now = new


class Store:
    def __init__(self, build: int) -> None:
        self.build = build

    def serving(self) -> dict[str, records.Serving]:
        return {"shop": records.Serving("shop", self.build, None)}


def follow(store: Store, proxy: Proxy) -> str:
    tender = tend.Tender(
        cast("Any", store), cast("Any", None), cast("Any", None), cast("Any", proxy), lambda: None
    )
    tender._refresh(cast("Any", Box()))
    return proxy.now


def test_a_container_that_serves_is_followed():
    assert follow(Store(1), Proxy("172.30.0.2")) == MOVED


def test_a_container_that_does_not_serve_is_not():
    assert follow(Store(2), Proxy("172.30.0.2")) == "172.30.0.2"


def test_a_switch_to_another_version_meanwhile_stays():
    store = Store(1)
    proxy = Proxy("172.30.0.2")

    def switch() -> None:
        store.build, proxy.now = 2, "172.30.0.3"

    proxy._meanwhile = switch

    assert follow(store, proxy) == "172.30.0.3"


def test_a_switch_right_after_the_look_at_what_serves_stays():
    proxy = Proxy("172.30.0.2")

    class Switched(Store):
        def serving(self) -> dict[str, records.Serving]:
            found = super().serving()
            self.build, proxy.now = 2, "172.30.0.3"
            return found

    assert follow(Switched(1), proxy) == "172.30.0.3"
