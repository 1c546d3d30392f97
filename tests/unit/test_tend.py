"""Who follows a container to its new address must not undo a switch that was faster."""

import contextlib
import dataclasses
import pathlib
from typing import Any, cast

import pytest

from build_hook import errors, settings
from build_hook.deploy import engine, tend
from build_hook.store import builds, records

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


@dataclasses.dataclass
class Stopped(Box):
    id: str = "shop-1"
    is_running: bool = False
    addresses: tuple[str, ...] = ("",)

    @property
    def every(self) -> tuple[Box, ...]:
        return (self,)


class Boxes:
    """An engine that is away for the first so many times it is asked to start something."""

    def __init__(self, *boxes: Stopped, away: int = 0) -> None:
        self._boxes, self._away = boxes, away

    def all(self, name: str) -> tuple[Stopped, ...]:
        return self._boxes

    def of_build(self, name: str, build: int) -> Stopped:
        return next(box for box in self._boxes if box.build == build)

    def resume(self, container: str) -> Stopped:
        if self._away:
            self._away -= 1
            raise errors.EngineDownError("The engine is away")
        (box,) = (box for box in self._boxes if box.id == container)
        box.is_running, box.addresses = True, (MOVED,)
        return box


class Away(engine.Engine):
    """An engine that does not answer."""

    @property
    def api(self):
        raise errors.EngineDownError("The engine is away")


@pytest.fixture
def failed(tmp_path):
    """A project whose build 2 has failed, while build 1 serves."""
    store = builds.Builds(settings.load(tmp_path / "state", {}).database)
    for _ in range(2):
        made = store.add(builds.Request("shop", "refs/heads/main", builds.Cause.PUSH, "a" * 40))
        store.fail(made.id, "gating: it died", retry=False)
    store.set_serving("shop", 1, None)
    yield store
    store.close()


def revive(store: builds.Builds, boxes: Boxes, tmp_path: pathlib.Path) -> Proxy:
    proxy = Proxy("172.30.0.2")
    tender = tend.Tender(
        settings.load(tmp_path / "state", {}),
        store,
        Away("unix:///nowhere", "1a2b"),
        cast("Any", proxy),
        lambda _: False,
    )
    tender._containers = cast("Any", boxes)
    tender.after(store.get(2))
    with contextlib.suppress(errors.BuildHookError):  # what it does when the engine is there
        tender._revive()
    return proxy


@pytest.mark.parametrize("away", [0, 1])
def test_what_serves_and_was_left_stopped_is_started_once_the_engine_is_there(
    failed, tmp_path, away
):
    old, candidate = Stopped(), Stopped(id="shop-2", build=2)

    proxy = revive(failed, Boxes(old, candidate, away=away), tmp_path)

    assert (old.is_running, candidate.is_running) == (True, False)
    assert proxy.now == (MOVED,)


def test_it_is_left_to_a_build_that_is_under_way(failed, tmp_path):
    old = Stopped()
    other = failed.add(builds.Request("shop", "refs/heads/main", builds.Cause.PUSH, "b" * 40))
    failed.enter(other.id, builds.Phase.STARTING)

    revive(failed, Boxes(old), tmp_path)

    assert not old.is_running
