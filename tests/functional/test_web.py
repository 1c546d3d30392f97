"""Web under the real gunicorn: what only real sockets, signals and files can show."""

import concurrent.futures
import json
import os
import pathlib
import re
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from benchmarks import signed_push
from build_hook import project, registry, settings
from build_hook.web import limiter
from tests.functional import webserver

_START = """
import pathlib, sys
from build_hook import settings
from build_hook.web import server as web
web.MOST_CONNECTIONS = int(sys.argv[3])
web.run(settings.load(pathlib.Path(sys.argv[1])), int(sys.argv[2]) or None)
"""
SHOP = project.Project(
    name="shop",
    repository="https://github.example/octocat/shop.git",
    ref="main",
    webhook_secrets=("shop",),
)


class _Web:
    """Web in a process group of its own, on a listening socket that the test keeps."""

    def __init__(
        self, state: pathlib.Path, most: int = 2048, *, inherit: bool = True, **options: str
    ) -> None:
        self.state = state
        self.most = most
        self.environ = {**os.environ, **{f"BUILD_HOOK_{k}": v for k, v in options.items()}}
        self.settings = settings.load(state)
        (self.settings.secrets / "shop").write_bytes(signed_push.SECRET)
        registry.save(self.settings.registry, registry.Registry(projects=(SHOP,)))
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.socket.getsockname()[1]
        self.log = state / "web.log"
        self.inherit = inherit
        if not inherit:
            self.socket.close()
            self.environ |= {"BUILD_HOOK_PORT": str(self.port), "BUILD_HOOK_LISTEN": "127.0.0.1"}

    def start(self) -> None:
        fd = self.socket.fileno() if self.inherit else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _START, str(self.state), str(fd), str(self.most)],
                env=self.environ,
                pass_fds=(fd,) if fd else (),
                start_new_session=True,
                stdout=log,
                stderr=log,
            )
        assert self.healthy(), self.log.read_text()

    def healthy(self) -> bool:
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            try:
                return self.request("GET", "/healthz").status == 200
            except OSError:  # only without an inherited socket
                time.sleep(0.05)
        return False

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(15)
        self.socket.close()

    def request(self, method, path, body=None, headers=None, timeout=15):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", body, headers or {}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                return _Answer(response.status, response.headers, response.read())
        except urllib.error.HTTPError as error:
            with error:
                return _Answer(error.code, error.headers, error.read())

    def push(self, delivery, body=None, secret=signed_push.SECRET, path="/hooks/shop"):
        body = body or signed_push.body()
        headers = signed_push.headers(body, delivery, secret=secret)
        return self.request("POST", path, body, headers)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def rows(self, sql):
        connection = sqlite3.connect(self.settings.database)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def memory(self) -> int:
        """PSS of all processes in kB."""
        rollups = [pathlib.Path(f"/proc/{p}/smaps_rollup").read_text() for p in self.pids()]
        return sum(
            int(size) for text in rollups for size in re.findall(r"^Pss:\s+(\d+)", text, re.M)
        )

    def until_there_are(self, processes: int) -> None:
        deadline = time.monotonic() + 10
        while len(self.pids()) < processes and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(self.pids()) == processes

    def connections(self, pid: int) -> int:
        """Sockets that a process has open."""
        links = (os.readlink(fd) for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir())
        return sum(link.startswith("socket:") for link in links)

    def pids(self) -> list[int]:
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [self.process.pid, *map(int, children.read_text().split())]


class _Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)


@pytest.fixture
def start(tmp_path):
    started = []

    def start(**options):
        web = _Web(tmp_path, **options)
        started.append(web)
        web.start()
        return web

    yield start
    for web in started:
        web.close()


@pytest.fixture
def web(start):
    return start()


def test_answered_push_survives_the_kill_of_everything(web):
    accepted = []
    for number in range(5):
        answer = web.push(f"d-{number}")
        web.kill()
        assert answer.status == 202
        accepted.append((f"d-{number}", answer.json["builds"][0]["id"]))
        web.start()

    stored = web.rows(
        "SELECT delivery_id, builds.id FROM deliveries JOIN builds ON delivery = deliveries.id"
    )
    assert sorted(stored) == sorted(accepted)


def test_push_while_web_is_killed_waits_and_is_taken(web):
    web.kill()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(web.push, "while-down")
        time.sleep(0.3)
        web.start()
        assert waiting.result().status == 202


def test_worker_process_that_dies_is_replaced(web):
    os.kill(web.pids()[1], signal.SIGKILL)

    assert web.push("after").status == 202


def test_processes_of_web_share_the_load_and_the_inbox(start):
    web = start(WEB_WORKERS="3")
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(web.push, [f"shared-{number}" for number in range(200)]))

    web.until_there_are(1 + 3)
    assert {answer.status for answer in answers} == {202}
    assert web.rows("SELECT count(*) FROM deliveries") == [(200,)]


def test_connections_that_wait_go_to_all_processes_of_web(start):
    web = start(WEB_WORKERS="2")
    web.until_there_are(1 + 2)
    for pid in web.pids()[1:]:
        os.kill(pid, signal.SIGSTOP)
    idle = [web.connections(pid) for pid in web.pids()[1:]]
    several = [web.connect() for _ in range(100)]
    for pid in web.pids()[1:]:
        os.kill(pid, signal.SIGCONT)
    try:
        for each in several:
            each.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert all(each.recv(4096).startswith(b"HTTP/1.1 200") for each in several)
        busy = [web.connections(pid) for pid in web.pids()[1:]]
    finally:
        for each in several:
            each.close()
    taken = [now - before for now, before in zip(busy, idle, strict=True)]
    assert min(taken) >= 10


def test_queue_of_the_socket_is_as_long_as_configured(web):
    most = int(pathlib.Path("/proc/sys/net/core/somaxconn").read_text())
    info = web.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32)
    longest = struct.unpack_from("=28xI", info)[0]  # tcpi_sacked, of a socket that listens
    assert longest == min(2048, most)


def test_stop_does_not_wait_for_idle_connections(web):
    pids = web.pids()
    idle = web.connect()
    idle.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    idle.recv(4096)
    silent = [web.connect() for _ in range(100)]  # some are being taken when it is told to stop
    started = time.monotonic()
    web.process.terminate()
    web.process.wait(15)
    for each in (idle, *silent):
        each.close()

    assert time.monotonic() - started < 5
    assert not any(pathlib.Path(f"/proc/{pid}/cmdline").exists() for pid in pids)


def test_stop_answers_the_request_that_is_under_way(web):
    body = signed_push.body()
    lines = [f"{k}: {v}" for k, v in signed_push.headers(body, "under-way").items()]
    head = ["POST /hooks/shop HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *lines]
    with web.connect() as client:
        client.sendall("\r\n".join([*head, "", ""]).encode() + body[:100])
        time.sleep(0.2)
        web.process.terminate()
        time.sleep(0.2)
        client.sendall(body[100:])
        answer = client.recv(4096)

    assert answer.startswith(b"HTTP/1.1 202 ")


@pytest.mark.parametrize("path", ["/", "/hooks/shop"])
def test_wrong_signature_is_401(web, path):
    answer = web.push("d-1", secret=b"guess", path=path)

    assert answer.status == 401
    assert answer.json["success"] is False
    assert web.push("d-1", path="/hooks/nobody").status == 404


def test_too_large_is_refused_by_its_header_alone(web):
    with web.connect() as client:
        client.sendall(
            b"POST /hooks/shop HTTP/1.1\r\nHost: x\r\nContent-Length: 30000000\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        answer = client.recv(4096)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"max_body_mb" in answer


def test_sender_of_a_body_too_large_can_read_why(start):
    web = start(MAX_BODY_MB="1")

    answer = web.push("large", body=b"x" * 3_000_000)

    assert answer.status == 413
    assert "1 MiB" in answer.json["error"]


def test_chunked_body_too_large_is_cut_off(start):
    web = start(MAX_BODY_MB="1")
    with web.connect() as client:
        client.sendall(
            b"POST /hooks/shop HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        for _ in range(20):
            client.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        answer = client.recv(4096)

    assert answer.startswith(b"HTTP/1.1 413 ")


def test_large_push_is_stored_whole(web):
    body = signed_push.body(size=5_000_000)

    assert web.push("large", body=body).status == 202
    assert web.rows("SELECT body FROM deliveries") == [(body,)]


def test_slow_senders_are_shut_out_while_others_are_served(web):
    slow = [web.connect() for _ in range(200)]
    for number, client in enumerate(slow):
        client.sendall(b"POST /hooks/shop HTTP/1.1\r\nHost: x\r\n")
        if number % 2:
            client.sendall(b"Content-Length: 8000\r\n\r\n{")
    started = time.monotonic()
    answers = [web.push(f"good-{number}") for number in range(5)]
    took = time.monotonic() - started
    ends = [client.recv(4096)[:12] for client in slow]
    shut_out = time.monotonic() - started
    for client in slow:
        client.close()

    assert [answer.status for answer in answers] == [202] * 5
    assert took < 2
    assert set(ends) == {b"HTTP/1.1 408"}
    assert 8 < shut_out < 20


def test_headers_too_large_are_refused(web):
    with web.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n")
        answer = client.recv(4096)

    assert answer.startswith(b"HTTP/1.1 431 ")


def test_connections_above_the_bound_are_told(start):
    web = start(most=20, WEB_WORKERS="1")
    clients = [web.connect() for _ in range(21)]
    answers = [client.recv(4096) for client in clients[20:]]
    for client in clients:
        client.close()

    assert all(answer.startswith(b"HTTP/1.1 503 ") for answer in answers)
    assert web.push("afterwards").status == 202


def test_load_shares_transactions_and_loses_nothing(web):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(web.push, [f"load-{number}" for number in range(400)]))

    assert {answer.status for answer in answers} == {202}
    assert web.rows("SELECT count(*) FROM deliveries") == [(400,)]
    assert web.rows("SELECT count(*) FROM builds WHERE finished IS NULL") == [(1,)]


def test_answers_do_not_tell_versions(web):
    answer = web.request("GET", "/")

    assert not any(letter.isdigit() for letter in answer.headers["server"])


def test_log_has_neither_payload_nor_secret(web):
    web.push("logged")
    web.push("\x7f" + "refused", secret=b"guess")
    log = web.log.read_text()

    assert "event=delivery status=202" in log
    assert signed_push.SECRET.decode() not in log
    assert "head_commit" not in log
    assert all(line.isascii() and line.isprintable() for line in log.splitlines())


def test_idle_memory_is_small(web):
    web.push("first")

    assert web.memory() < 60 * 1024


def test_crowd_of_large_and_slow_senders_takes_little_memory_and_no_time(web):
    web.push("first")
    before = web.memory()
    slow = [web.connect() for _ in range(500)]
    for number, client in enumerate(slow):
        client.sendall(b"POST /hooks/shop HTTP/1.1\r\nHost: x\r\n")
        if number % 2:
            client.sendall(b"Content-Length: 200000\r\n\r\n" + b"x" * 50_000)
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        large = [pool.submit(web.push, f"l-{n}", b"x" * 30_000_000) for n in range(10)]
        good = []
        for number in range(20):
            started = time.monotonic()
            assert web.push(f"good-{number}").status == 202
            good.append(time.monotonic() - started)
        grown = web.memory() - before
        assert {future.result().status for future in large} == {413}
    for client in slow:
        client.close()

    assert sorted(good)[10] < 0.1, good
    assert grown < 50 * 1024


def test_web_listens_by_itself_without_an_inherited_socket(start):
    web = start(inherit=False)

    assert web.push("direct").status == 202


def test_failures_are_counted_for_all_processes_together(tmp_path):
    with webserver.serving(tmp_path, WEB_WORKERS="2") as server:

        def guess(_: int) -> int:
            wrong = {"Authorization": "Bearer wrong"}
            return server.request("GET", "/api/v1/projects", wrong).status

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(guess, range(80)))

    # each process on its own would let thirty pass
    assert limiter.BURST <= answers.count(401) < limiter.BURST + 15
    assert answers.count(429) == 80 - answers.count(401)
