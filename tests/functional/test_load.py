import contextlib
import http.server
import socketserver
import threading
import time
from collections.abc import Callable

import pytest

from build_hook import errors
from build_hook.demo import traffic

pytestmark = pytest.mark.alone


class Web(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        assert isinstance(self.server, Server)
        self.server.answer(self)

    def log_request(self, code="-", size="-"):
        pass

    def reply(self, version, status=200):
        self.send_response(status)
        self.send_header("Content-Length", str(len(version)))
        self.end_headers()
        self.wfile.write(version.encode())


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        assert isinstance(self.server, Server)
        for line in self.rfile:
            self.server.answer(self, line)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64
    answer: Callable[..., object]


def good_web(handler):
    handler.reply("v1\n")


def good_echo(handler, line):
    handler.wfile.write(b"v1 " + line)


@contextlib.contextmanager
def serving(handler, answer, port=0):
    with Server(("127.0.0.1", port), handler) as server:
        server.answer = answer
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def url(server, scheme):
    return f"{scheme}://127.0.0.1:{server.server_address[1]}"


def load_for(seconds, **urls):
    with traffic.Traffic(urls) as load:
        time.sleep(seconds)
        load.stop()
    return load


def test_healthy_servers_lose_nothing():
    with serving(Web, good_web) as web, serving(Echo, good_echo) as echo:
        load = load_for(2, web=url(web, "http"), echo=url(echo, "tcp"))

    seen = load.window()
    assert seen.failed == 0
    assert seen.requests > 100
    assert seen.longest_gap_ms < 500
    assert load.answering("web") == load.answering("echo") == "v1"


def test_connections_are_kept_and_new_in_equal_parts():
    opened = []

    class Counting(Web):
        def setup(self):
            opened.append(self.client_address)
            super().setup()

    with serving(Counting, good_web) as web:
        load = load_for(2, web=url(web, "http"))

    requests = load.window().requests
    assert 0.4 * requests < len(opened) < 0.6 * requests + 4


def test_more_clients_ask_more():
    with serving(Web, good_web) as web, traffic.Traffic({"web": url(web, "http")}, 9) as load:
        load.wait_for("web", "v1", 10)
        time.sleep(1)
        load.stop()

    assert load.window().requests > 150  # three of each manner ask 72 times a second


def test_outage_is_counted_with_its_length():
    def cut(handler):
        handler.connection.shutdown(2)

    with serving(Web, good_web) as web:
        port = web.server_address[1]
        with traffic.Traffic({"web": url(web, "http")}) as load:
            assert load.wait_for("web", "v1", 10)
            web.answer = cut
            web.shutdown()
            web.server_close()
            down = time.monotonic()
            time.sleep(1)
            with serving(Web, good_web, port):
                up = time.monotonic()
                time.sleep(0.6)
                load.stop()

    outage = load.window(down, up + 0.3)
    assert outage.failed > 10
    assert 900 < outage.longest_gap_ms < 2000
    assert {"web: refused", "web: closed"} <= load.failures().keys()
    assert load.window(up + 0.3).longest_gap_ms < 500


@pytest.mark.parametrize(
    ("answer", "how"),
    [
        (lambda handler: handler.reply("sorry", 503), "web: status 503"),
        (lambda handler: handler.connection.shutdown(2), "web: closed"),
        (lambda handler: handler.wfile.write(b"nonsense\r\n\r\n"), "web: "),
    ],
)
def test_answer_that_is_not_right_is_a_failure(answer, how):
    with serving(Web, answer) as web:
        load = load_for(1, web=url(web, "http"))

    seen = load.window()
    assert seen.requests == seen.failed > 10
    assert any(name.startswith(how) for name in load.failures())


def test_no_answer_in_time_is_a_failure():
    with serving(Web, lambda _: time.sleep(8)) as web:
        load = load_for(6, web=url(web, "http"))

    assert load.failures() == {"web: timeout": 6}


def test_idle_connection_that_the_server_closed_is_forgiven():
    def answer_and_leave(handler):
        handler.reply("v1")
        handler.close_connection = True

    with serving(Web, answer_and_leave) as web:
        load = load_for(1, web=url(web, "http"))

    assert load.window().failed == 0
    assert load.window().requests > 30
    assert load.reopened() > 10


def test_tcp_session_that_is_cut_is_a_failure():
    def answer_once(handler, line):
        handler.wfile.write(b"v1 " + line)
        handler.connection.shutdown(2)

    with serving(Echo, answer_once) as echo:
        load = load_for(1, echo=url(echo, "tcp"))

    assert load.window().failed > 5


def test_wrong_echo_is_a_failure():
    with serving(Echo, lambda handler, _: handler.wfile.write(b"v1 other\n")) as echo:
        load = load_for(1, echo=url(echo, "tcp"))

    assert set(load.failures()) == {"echo: wrong echo"}


def test_versions_are_told_apart():
    version = ["v1"]
    with (
        serving(Web, lambda handler: handler.reply(version[0])) as web,
        traffic.Traffic({"web": url(web, "http")}) as load,
    ):
        first = load.wait_for("web", "v1", 10)
        version[0] = "v2"
        changed = time.monotonic()
        second = load.wait_for("web", "v2", 10)
        load.stop()

    assert first
    assert second
    assert first < changed < second < changed + 1
    assert load.answering("web") == "v2"
    assert load.first_seen("web", "v3") is None


def test_load_that_has_died_is_an_error():
    with serving(Web, good_web) as web, traffic.Traffic({"web": url(web, "http")}) as load:
        load.check()
        load.stop()
        with pytest.raises(errors.BuildHookError, match="load generator ended"):
            load.check()
