"""What cannot run twice: the old version stops first, and requests wait instead of failing."""

import socket
import threading
import time

import pytest

from build_hook.demo import traffic
from build_hook.store import builds

DIES = {"Dockerfile": 'ARG BASE\nFROM ${BASE}\nCMD ["/bin/busybox", "false"]\n'}


def ask(port: int) -> str:
    """What the echo application answers to a line on a connection of its own."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(b"x\n")
        return connection.makefile().readline().strip()


class Watcher(threading.Thread):
    """Counts how many containers of a project run at the same time."""

    def __init__(self, project) -> None:
        super().__init__(daemon=True)
        self._project = project
        self._done = threading.Event()
        self.most = 0

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()

    def run(self) -> None:
        while not self._done.wait(0.05):
            self.most = max(self.most, sum(box.is_running for box in self._project.boxes()))


def test_requests_wait_and_never_two_run(host):
    lock = host.add("lock", strategy="recreate")
    lock.live()

    with traffic.Traffic({"lock": lock.url}, 5) as load, Watcher(lock) as watcher:
        assert load.wait_for("lock", lock.version, 10)
        for _ in range(4):
            lock.live()
            assert load.wait_for("lock", lock.version, 5)
        load.stop()

    assert load.failures() == {}
    assert watcher.most == 1


def test_a_project_that_comes_meanwhile_lets_nobody_go_on(host):
    """It needs a reload of the proxy: requests wait in the worker before it and in the next."""
    lock = host.add("lock-reload", strategy="recreate", health={"min_uptime": 4})
    lock.live()
    reloads = host.log().count("Reloading HAProxy")

    with traffic.Traffic({"lock": lock.url}, 5, patience=30) as load:
        assert load.wait_for("lock", lock.version, 10)
        commit = lock.push()
        lock.until(builds.Phase.GATING, commit)
        host.add("lock-beside")
        host.until(lambda: host.log().count("Reloading HAProxy") > reloads, "the reload")
        assert lock.build_of(commit).phase is builds.Phase.GATING
        assert lock.ended(commit).phase is builds.Phase.LIVE
        assert load.wait_for("lock", lock.version, 5)
        load.stop()

    assert load.failures() == {}


def test_connections_wait_as_well(host):
    lock = host.add("lock-tcp", "tcp", strategy="recreate", drain=0.2)
    lock.live()
    answered: list[float] = []
    done = threading.Event()

    def keep_asking() -> None:
        while not done.is_set():
            begun = time.monotonic()
            assert ask(lock.port).startswith("lock-tcp")
            answered.append(time.monotonic() - begun)

    asker = threading.Thread(target=keep_asking)
    asker.start()
    lock.live()
    done.set()
    asker.join()

    assert ask(lock.port).startswith(lock.version)
    assert max(answered) > 0.3


def test_a_version_that_dies_gives_the_place_back(host):
    lock = host.add("lock-dies", strategy="recreate")
    first = lock.live()
    good = lock.read("Dockerfile")

    with traffic.Traffic({"lock": lock.url}, 5) as load, Watcher(lock) as watcher:
        assert load.wait_for("lock", lock.version, 10)
        version = lock.version
        broken = lock.deploy(**DIES)
        assert load.wait_for("lock", version, 5)
        load.stop()

    assert broken.phase is builds.Phase.FAILED
    assert "died with exit status 1" in (broken.reason or "")
    assert load.failures() == {}
    assert watcher.most == 1
    assert host.store.serving()["lock-dies"].build == first.id
    lock.live(Dockerfile=good)


def test_a_version_that_dies_while_it_is_watched_gives_the_place_back(host):
    lock = host.add("lock-later", strategy="recreate")
    first = lock.live()
    lock.watched(20)
    version = lock.version
    commit = lock.push()
    lock.until(builds.Phase.WATCHING, commit)

    lock.host.engine.api.kill(lock.serving().id)
    ended = lock.ended(commit)

    assert ended.phase is builds.Phase.ROLLED_BACK
    assert host.store.serving()["lock-later"].build == first.id
    assert lock.get() == version


def test_rolling_becomes_recreate_without_a_failed_request(host):
    lock = host.add("lock-changes")
    lock.live()

    with traffic.Traffic({"lock": lock.url}, 5) as load, Watcher(lock) as watcher:
        assert load.wait_for("lock", lock.version, 10)
        host.register(lock, strategy="recreate")
        lock.live()
        assert load.wait_for("lock", lock.version, 5)
        load.stop()

    assert load.failures() == {}
    assert watcher.most == 1


@pytest.mark.parametrize("moment", [builds.Phase.STARTING, builds.Phase.GATING])
def test_a_worker_that_is_killed_meanwhile_serves_again(host, moment: builds.Phase):
    lock = host.add(f"lock-{moment}", strategy="recreate", health={"min_uptime": 1})
    lock.live()

    commit = lock.push()
    lock.until(moment, commit)
    host.kill("worker")

    assert lock.ended(commit).phase is builds.Phase.LIVE
    assert lock.get() == lock.version
    assert sum(box.is_running for box in lock.boxes()) == 1
