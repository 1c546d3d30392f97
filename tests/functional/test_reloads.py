"""What a reload of HAProxy must not lose: requests that wait, connections that are kept."""

import contextlib
import http.client
import json
import threading
import time

import pytest

from build_hook import errors
from build_hook.demo import product
from build_hook.proxy import front, places, runtime
from tests.functional import host as hosts
from tests.functional import stage as stages


@pytest.fixture(scope="module")
def running():
    with stages.running() as made:
        yield made


@pytest.fixture
def stage(running):
    """Every test has the proxy to itself."""
    yield running
    running.projects.clear()
    running.addresses.clear()
    running.publish()


class Waiting:
    """Requests that are on their way in threads of their own."""

    def __init__(self, stage: stages.Stage, port: int, most: int) -> None:
        self.answers: list[tuple[int, str]] = []
        self._stage, self._port = stage, port
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(most)]
        for thread in self._threads:
            thread.start()

    def _ask(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=50)
        with contextlib.closing(connection):
            connection.request("GET", "/")
            answer = connection.getresponse()
            body = answer.read().decode()
            at = json.loads(body)["address"] if answer.status == 200 else body
            self.answers.append((answer.status, at))

    @property
    def left(self) -> int:
        return sum(thread.is_alive() for thread in self._threads)

    def ended(self) -> list[tuple[int, str]]:
        hosts.wait_for(lambda: not self.left, "the answers", 40)
        return self.answers


def old_sessions(stage: stages.Stage, count: int) -> bool:
    """Whether workers from before a reload still have that many clients."""
    proxy = runtime.Runtime(stage.settings.run)
    asked = (proxy._ask_master(f"@!{pid} show info") for pid in proxy._old_workers())
    lines = (line for text in asked for line in text.splitlines())
    return sum(int(x.split()[1]) for x in lines if x.startswith("CurrConns:")) >= count


def switch(stage: stages.Stage, name: str, address: str) -> None:
    stage.front.switch(places.Target(stage.projects[name], (address,)))


@pytest.mark.parametrize("strategy", ["recreate", "rolling"])
def test_requests_that_wait_outlast_reloads_and_go_where_the_new_version_is(stage, strategy):
    """In the worker that they came to, and in those that came since."""
    port = product.free_port()
    stage.add("shop", {"published": port}, strategy=strategy)
    stage.front.hold("shop", 300)
    first = Waiting(stage, port, 3)
    time.sleep(0.3)

    stage.add("blog", {"published": product.free_port()})
    hosts.wait_for(lambda: old_sessions(stage, 3), "the old worker", 5)
    second = Waiting(stage, port, 3)
    time.sleep(0.3)
    stage.add("wiki", {"published": product.free_port()})
    third = Waiting(stage, port, 3)
    time.sleep(0.5)
    assert (first.left, second.left, third.left) == (3, 3, 3)

    switch(stage, "shop", "127.0.1.9")
    time.sleep(0.3)
    assert (first.left, second.left, third.left) == (3, 3, 3)
    stage.front.go("shop")

    assert first.ended() + second.ended() + third.ended() == [(200, "127.0.1.9")] * 9


def test_requests_that_wait_outlast_the_reload_that_their_own_version_needs(stage):
    port, other = product.free_port(), product.free_port()
    stage.add("shop", {"published": port}, strategy="recreate")
    stage.front.hold("shop", 300)
    waiting = Waiting(stage, port, 3)
    time.sleep(0.3)

    stage.add("shop", {"published": port}, {"published": other}, strategy="recreate", live=False)
    switch(stage, "shop", "127.0.1.9")
    stage.front.go("shop")

    assert waiting.ended() == [(200, "127.0.1.9")] * 3
    assert Waiting(stage, other, 1).ended() == [(200, "127.0.1.9")]


def test_a_proxy_that_is_killed_meanwhile_holds_again(stage):
    port = product.free_port()
    stage.add("shop", {"published": port}, strategy="recreate")
    stage.front.hold("shop", 300)
    stage.stop()
    stage.start()

    waiting = Waiting(stage, port, 2)
    time.sleep(0.5)
    assert waiting.left == 2
    stage.front.go("shop")

    assert waiting.ended() == [(200, stage.addresses["shop"])] * 2


def test_what_nobody_ends_ends_by_itself_also_after_a_reload(stage):
    port = product.free_port()
    stage.add("shop", {"published": port}, strategy="recreate")
    stage.front.hold("shop", 3)
    first = Waiting(stage, port, 1)
    time.sleep(0.2)
    stage.add("blog", {"published": product.free_port()})
    second = Waiting(stage, port, 1)
    begun = time.monotonic()

    assert first.ended() + second.ended() == [(200, stage.addresses["shop"])] * 2
    assert time.monotonic() - begun < 30


def test_a_worker_that_starts_anew_lets_all_go_on_whatever_its_project_is_now(stage):
    """A crash during a recreate of a project that was rolling until then: it is rolling again."""
    port = product.free_port()
    stage.add("shop", {"published": port})
    stage.front.hold("shop", 300)
    waiting = Waiting(stage, port, 2)
    time.sleep(0.3)

    stage.front = front.Front(stage.settings)
    live = {"shop": places.Target(stage.projects["shop"], ("127.0.1.9",))}
    stage.front.publish(tuple(stage.projects.values()), live)

    assert waiting.ended() == [(200, "127.0.1.9")] * 2


def test_a_switch_that_a_crash_cut_in_half_is_finished_at_the_next_start(stage):
    """The file says what serves, and no reload is needed: but nobody has told HAProxy."""
    port = product.free_port()
    stage.add("shop", {"published": port})  # in slot 0
    switch(stage, "shop", "127.0.1.8")  # in slot 1
    stage.front._runtime.command = crash
    with pytest.raises(Crash):
        switch(stage, "shop", "127.0.1.9")  # in slot 0 again, where a new front begins
    assert Waiting(stage, port, 1).ended() == [(200, "127.0.1.8")]

    stage.front = front.Front(stage.settings)
    target = places.Target(stage.projects["shop"], ("127.0.1.9",))
    stage.front.publish(tuple(stage.projects.values()), {"shop": target})

    assert Waiting(stage, port, 8).ended() == [(200, "127.0.1.9")] * 8
    stage.front.switch(target)
    assert Waiting(stage, port, 8).ended() == [(200, "127.0.1.9")] * 8


class Crash(BaseException):
    """What ends a process, as far as a test can have it."""


def crash(*_: object) -> None:
    raise Crash


def test_a_kept_connection_goes_where_the_new_version_is(stage):
    """It came before a reload, and its next request after the switch of that project."""
    port = product.free_port()
    stage.add("shop", {"published": port})
    with contextlib.closing(stage.connection(port, "any")) as connection:
        connection.request("GET", "/")
        connection.getresponse().read()
        kept = connection.sock
        stage.add("blog", {"published": product.free_port()})
        hosts.wait_for(lambda: old_sessions(stage, 1), "the old worker", 5)
        switch(stage, "shop", "127.0.1.9")

        connection.request("GET", "/")
        assert connection.sock is kept
        assert json.loads(connection.getresponse().read())["address"] == "127.0.1.9"


def test_a_slot_that_an_old_worker_has_sessions_on_is_not_taken(stage):
    """Who counts the sessions of a version would else find them at another's address."""
    port = product.free_port()
    stage.add("shop", {"published": port, "app_protocol": "tcp"})
    with contextlib.closing(stage.connection(port, "any")) as connection:
        connection.connect()
        first = stage.addresses["shop"]
        hosts.wait_for(lambda: stage.front.sessions("shop", [first]), "the session", 5)
        stage.add("blog", {"published": product.free_port()})

        for number in (8, 9):
            switch(stage, "shop", f"127.0.1.{number}")

        assert stage.front.sessions("shop", [first]) == 1
        assert stage.front.sessions("shop", ["127.0.1.8", "127.0.1.9"]) == 0


def test_a_hold_that_the_proxy_does_not_take_is_none(stage):
    stage.add("shop", {"published": product.free_port()}, strategy="recreate")
    stage.stop()
    try:
        with pytest.raises(errors.ProxyError):
            stage.front.hold("shop", 300)
        assert (stage.settings.run / "holds").read_text() == ""
    finally:
        stage.start()
