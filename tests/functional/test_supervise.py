"""One command keeps three processes alive, refuses nobody meanwhile, and leaves nothing behind."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from build_hook.demo import product
from tests.functional import host as hosts

NAMES = ("web", "worker", "proxy")


@pytest.fixture
def served(base: str):
    with hosts.serving(base, reconcile_interval=3600, min_free_mb=10) as made:
        yield made


def is_alive(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


@pytest.mark.parametrize("name", NAMES)
def test_what_ends_is_started_again(host, name: str):
    before = host.pid(name)

    os.killpg(before, signal.SIGKILL)

    host.replaced(name, before)
    host.until(host.is_healthy, "web")


def test_a_web_that_is_killed_refuses_nobody(host):
    outcomes: list[int | str] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", host.settings.port, timeout=30)
            try:
                connection.request("GET", "/")
                outcomes.append(connection.getresponse().status)
            except ConnectionRefusedError:
                outcomes.append("refused")
            except (OSError, http.client.HTTPException):
                outcomes.append("cut")  # it was being host by the one that was killed
            finally:
                connection.close()
            time.sleep(0.01)

    asker = threading.Thread(target=ask)
    asker.start()
    for _ in range(3):
        host.until(host.is_healthy, "web")
        os.killpg(host.pid("web"), signal.SIGKILL)
        time.sleep(0.5)
    host.until(host.is_healthy, "web")
    done.set()
    asker.join()

    assert "refused" not in outcomes
    assert outcomes.count(200) >= 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_outlives_the_command(served, number: int):
    children = [served.pid(name) for name in NAMES]

    os.kill(served.product.pid, number)

    hosts.wait_for(lambda: not any(map(is_alive, children)), "the children's end", 20)


def test_containers_go_on_when_the_command_ends(served):
    web = served.add("goes-on")
    web.live()

    children = [served.pid(name) for name in NAMES]

    os.kill(served.product.pid, signal.SIGTERM)
    hosts.wait_for(lambda: not any(map(is_alive, children)), "the children's end", 20)

    assert [box.is_running for box in web.boxes()] == [True]


def test_a_second_worker_is_refused(host):
    done = subprocess.run(
        [sys.executable, "-m", "build_hook", "--state", str(host.settings.state), "worker"],
        env={**os.environ, **host.environ},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 1
    assert "Another worker runs on" in done.stderr


def test_a_port_of_web_that_is_taken_is_said(host):
    done = subprocess.run(
        [sys.executable, "-m", "build_hook", "--state", f"{host.settings.state}-2", "serve"],
        env={**os.environ, **host.environ},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 1
    assert f"127.0.0.1:{host.settings.port}: Address already in use" in done.stderr
    assert "--port" in done.stderr


def test_web_listens_on_ipv6(tmp_path):
    port = product.free_port()
    environ = {**os.environ, "BUILD_HOOK_LISTEN": "::1", "BUILD_HOOK_PORT": str(port)}
    process = subprocess.Popen(
        [sys.executable, "-m", "build_hook", "--state", str(tmp_path / "s"), "serve"],
        env=environ,
        stderr=subprocess.DEVNULL,
    )
    try:

        def answers() -> bool:
            with contextlib.suppress(OSError), socket.create_connection(("::1", port), 5) as web:
                web.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
                return b" 200 " in web.recv(100)
            return False

        hosts.wait_for(answers, "web on ::1", 20)
    finally:
        process.terminate()
        process.wait(20)


def test_newer_code_takes_over_and_the_proxy_runs_on(served):
    web = served.add("goes-on")
    web.live()
    before = {name: served.pid(name) for name in NAMES}
    outcomes: list[bool] = []
    done = threading.Event()

    def ask() -> None:
        while not done.wait(0.01):
            outcomes.append(web.answers())

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        for _ in range(2):
            said = served.log().count("worker: ready")
            os.kill(served.product.pid, signal.SIGUSR2)
            hosts.wait_for(
                lambda n=said: served.log().count("worker: ready") > n, "the worker", 30
            )
            served.until(served.is_healthy, "web")
        web.live()
    finally:
        done.set()
        asker.join()

    after = {name: served.pid(name) for name in NAMES}
    assert after["proxy"] == before["proxy"]
    assert after["web"] != before["web"]
    assert after["worker"] != before["worker"]
    assert all(outcomes)
    assert len(outcomes) > 20

    os.killpg(after["proxy"], signal.SIGKILL)  # it is kept alive as before
    served.replaced("proxy", after["proxy"])
    hosts.wait_for(web.answers, "an answer", 20)
    os.kill(served.product.pid, signal.SIGTERM)
    hosts.wait_for(lambda: not any(map(is_alive, after.values())), "the children's end", 20)
