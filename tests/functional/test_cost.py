"""What a deploy cost its users is on its record, and is what they felt."""

import time

import pytest

from build_hook.demo import traffic
from build_hook.deploy import cost
from build_hook.proxy import runtime

pytestmark = pytest.mark.alone


def set_live_server(host, web, state: str) -> None:
    """Take the server that serves out of the proxy, or back in."""
    proxy = runtime.Runtime(host.settings.run)
    backend = f"{web.name}-{web.port}"
    for server in proxy.servers():
        if server.backend == backend and server.port != 1:
            proxy.command(f"set server {backend}/{server.name} state {state}")


def test_a_good_cutover_costs_nothing_and_says_so(host):
    web = host.add("cost", health={"path": "/"})
    web.live()

    with traffic.Traffic({"cost": web.url}, 5) as load:
        assert load.wait_for("cost", web.version, 10)
        build = web.live()
        load.stop()

    assert build.failed == 0
    assert build.requests is not None
    assert build.requests > 0
    assert build.longest_gap_ms is not None
    assert build.longest_gap_ms < 1000
    assert "0 failed, longest gap" in web.log(build)


def test_waiting_while_it_is_recreated_is_a_gap_but_no_failure(host):
    web = host.add("cost-held", strategy="recreate", health={"path": "/", "min_uptime": 1})
    web.live()

    build = web.live()

    assert build.failed == 0
    assert build.longest_gap_ms is not None
    assert build.longest_gap_ms > 1000


def test_failures_of_the_cutover_are_counted(host):
    """The proxy has nobody to send to for half a second: users get 503."""
    web = host.add("cost-fails", health={"path": "/"}, drain=2)
    web.live()

    with traffic.Traffic({"web": web.url}, 5) as load:
        assert load.wait_for("web", web.version, 10)
        account = cost.Accountant(host.settings)
        noted: list[cost.Cost] = []
        with account.account(host.entry("cost-fails"), noted.append):
            set_live_server(host, web, "maint")
            time.sleep(0.5)
            set_live_server(host, web, "ready")
            time.sleep(0.5)
        load.stop()

    (spent,) = noted
    assert spent.failed is not None
    assert spent.failed > 0
    assert spent.longest_gap_ms is not None
    assert spent.longest_gap_ms >= 400


@pytest.mark.parametrize("protocol", ["http", "tcp"])
def test_without_a_path_for_probes_the_gap_is_one_of_connections(host, protocol: str):
    web = host.add(f"cost-{protocol}", protocol)
    web.live()

    with traffic.Traffic({"web": web.url}, 5) as load:
        assert load.wait_for("web", web.version, 10)
        build = web.live()
        load.stop()

    assert build.failed == 0
    assert build.requests is not None
    assert build.longest_gap_ms is not None
    assert build.longest_gap_ms < 1000


@pytest.mark.parametrize("protocol", ["http", "tcp"])
def test_connections_that_wait_are_a_gap_too(host, protocol: str):
    web = host.add(f"cost-waits-{protocol}", protocol, strategy="recreate", drain=0.2)
    host.register(web, health={"min_uptime": 1})
    web.live()

    build = web.live()

    assert build.failed == 0
    assert build.longest_gap_ms is not None
    assert build.longest_gap_ms > 1000


@pytest.mark.parametrize("protocol", ["http", "tcp"])
def test_connections_that_the_proxy_takes_for_nobody_are_a_gap(host, protocol: str):
    web = host.add(f"cost-nobody-{protocol}", protocol)
    web.live()
    account = cost.Accountant(host.settings)
    noted: list[cost.Cost] = []

    with account.account(host.entry(web.name), noted.append):
        time.sleep(0.5)
        set_live_server(host, web, "maint")
        time.sleep(0.5)
        set_live_server(host, web, "ready")
        time.sleep(0.5)

    (spent,) = noted
    assert spent.longest_gap_ms is not None
    assert 400 <= spent.longest_gap_ms < 1400


def test_a_container_that_takes_no_connections_is_a_gap(host):
    web = host.add("cost-gone")
    web.live()
    account = cost.Accountant(host.settings)
    noted: list[cost.Cost] = []

    with account.account(host.entry(web.name), noted.append):
        host.engine.api.stop(web.serving().id, timeout=0)
        time.sleep(1)

    (spent,) = noted
    assert spent.longest_gap_ms is not None
    assert spent.longest_gap_ms >= 800
    host.engine.api.start(web.serving().id)


def test_a_reload_for_another_project_leaves_what_was_measured(host):
    web = host.add("cost-reload")
    web.live()
    account = cost.Accountant(host.settings)
    noted: list[cost.Cost] = []
    reloads = host.log().count("Reloading HAProxy")

    with account.account(host.entry(web.name), noted.append):
        host.add("cost-beside")
        host.until(lambda: host.log().count("Reloading HAProxy") > reloads, "the reload")
        time.sleep(1)

    (spent,) = noted
    assert (spent.requests, spent.failed) == (None, None)
    assert spent.longest_gap_ms is not None
