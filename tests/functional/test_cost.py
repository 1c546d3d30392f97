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
    assert spent.failed > 0
    assert spent.longest_gap_ms is not None
    assert spent.longest_gap_ms >= 400


def test_without_a_path_for_probes_the_gap_is_not_known(host):
    echo = host.add("cost-tcp", "tcp")
    echo.live()

    with traffic.Traffic({"echo": echo.url}, 5) as load:
        assert load.wait_for("echo", echo.version, 10)
        build = echo.live()
        load.stop()

    assert (build.failed, build.longest_gap_ms) == (0, None)
    assert build.requests is not None
