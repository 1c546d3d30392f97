import contextlib
import dataclasses
import http.server
import itertools
import socket
import threading
import time

import pytest

from build_hook import errors, project
from build_hook.deploy import containers, gate, watch

YOUNG = containers.Container(
    id="c" * 64,
    name="shop-1-x",
    project="shop",
    build=1,
    commit="a" * 40,
    status="running",
    address="127.0.0.1",
    restarts=0,
    exit_code=0,
    out_of_memory=False,
    health=None,
    started=0.0,
)


@contextlib.contextmanager
def answering(*statuses):
    """An HTTP server that answers with these statuses in turn, the last one for ever."""
    waiting, asked = list(statuses), []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((time.monotonic(), self.path))
            self.send_response(waiting.pop(0) if len(waiting) > 1 else waiting[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_request(self, code="-", size="-"):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.server_address[1], asked
        server.shutdown()


def shop(port=None, **health):
    ports = [{"target": port, "published": 4000}] if port else []
    quick = {"interval": 0.02, "successes": 1, "min_uptime": 0, "timeout": 2}
    given = {"name": "shop", "repository": "https://git.example/shop.git"}
    return project.Project.model_validate({**given, "ports": ports, "health": {**quick, **health}})


def prove(of, *states, log=lambda line: None, check_stop=lambda: None):
    waiting = list(states) or [YOUNG]

    def look():
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    return gate.prove(of, look, check_stop, log)


def changed(**fields):
    return dataclasses.replace(YOUNG, **fields)


@pytest.mark.parametrize("status", [200, 204, 302])
def test_good_answer_passes(status):
    with answering(status) as (port, asked):
        assert prove(shop(port, path="/ready?x=1")) == YOUNG

    assert [path for _, path in asked] == ["/ready?x=1"]


@pytest.mark.parametrize("status", [404, 500, 503])
def test_bad_answer_does_not(status):
    with (
        answering(status) as (port, _),
        pytest.raises(errors.GateError, match=f"not ready after 0.2 s: GET / answers {status}"),
    ):
        prove(shop(port, path="/", timeout=0.2))


@contextlib.contextmanager
def dripping(every):
    """A server that goes on answering, a byte at a time."""
    done = threading.Event()

    def drip(server):
        with contextlib.suppress(OSError), server.accept()[0] as client:
            for _ in range(round(15 / every)):
                if done.wait(every):
                    return
                client.sendall(b"H")

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        yield server.getsockname()[1]
        done.set()
        thread.join()


def test_answer_that_drips_holds_nobody_up():
    begun = time.monotonic()

    with dripping(0.05) as port, pytest.raises(errors.GateError, match="TimeoutError"):
        prove(shop(port, path="/", timeout=0.1))

    assert time.monotonic() - begun < 10


def test_so_many_successes_in_a_row_are_needed():
    with answering(200, 200, 500, 200) as (port, asked):
        prove(shop(port, path="/", successes=3))

    assert len(asked) == 6


def test_interval_lies_between_probes():
    with answering(200) as (port, asked):
        prove(shop(port, path="/", successes=3, interval=0.15))

    times = [at for at, _ in asked]
    assert all(0.14 < later - earlier < 0.6 for earlier, later in itertools.pairwise(times))


def test_min_uptime_counts_from_the_start_of_the_container():
    old, young = changed(started=time.time() - 60), changed(started=time.time())
    begun = time.monotonic()
    prove(shop(min_uptime=0.5), old)
    assert time.monotonic() - begun < 0.3

    prove(shop(min_uptime=0.5), young)
    assert time.monotonic() - begun > 0.5


def test_clock_that_was_set_back_keeps_nobody_waiting():
    begun = time.monotonic()

    prove(shop(min_uptime=0.3), changed(started=time.time() + 3600))

    assert 0.3 <= time.monotonic() - begun < 2


def test_tcp_port_has_to_take_connections():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert prove(shop(port))

    with pytest.raises(errors.GateError, match=f"port {port} takes no connection"):
        prove(shop(port, timeout=0.1))


def test_project_without_ports_only_has_to_live():
    assert prove(shop()) == YOUNG


def test_healthcheck_of_the_image_is_waited_for():
    said = []
    starting, healthy = changed(health="starting"), changed(health="healthy")

    assert prove(shop(), starting, starting, healthy, log=said.append) == healthy
    assert said == ["waiting: the HEALTHCHECK says starting"]


def test_address_is_waited_for():
    assert prove(shop(), changed(address=None), YOUNG) == YOUNG


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (None, "removed by somebody else"),
        (changed(status="exited", exit_code=3), "died with exit status 3"),
        (changed(restarts=1, exit_code=9), "died with exit status 9"),
        (changed(out_of_memory=True), "ran out of memory"),
        (changed(health="unhealthy"), "HEALTHCHECK says unhealthy"),
    ],
)
def test_what_cannot_become_fit_fails_at_once(state, says):
    begun = time.monotonic()

    with pytest.raises(errors.GateError, match=says):
        prove(shop(timeout=60), state)
    with pytest.raises(errors.WatchError, match=says):
        watch.Watch(shop(), lambda: state, None).over(60, lambda: False)

    assert time.monotonic() - begun < 2


def test_who_wants_it_stopped_is_heard():
    def stop():
        raise errors.CancelledError("Cancelled")

    with pytest.raises(errors.CancelledError):
        prove(shop(), changed(health="starting"), check_stop=stop)


def test_watch_ends_with_its_time_or_with_a_newer_push():
    watched = watch.Watch(shop(), lambda: YOUNG, None)
    begun = time.monotonic()
    watched.over(0.5, lambda: False)
    assert 0.5 <= time.monotonic() - begun < 2

    begun = time.monotonic()
    watched.over(60, lambda: True)
    assert time.monotonic() - begun < 1
