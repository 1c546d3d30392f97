"""The API under the real gunicorn: what streams, what is shared with other processes."""

import concurrent.futures
import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error

import pytest

from build_hook.deploy import buildlog
from build_hook.store import builds, session
from build_hook.web.api import logs
from tests.functional import webserver


@pytest.fixture
def server(tmp_path):
    # one process of web: what it keeps in memory, each process keeps for itself
    with webserver.serving(tmp_path, WEB_WORKERS="1") as made:
        yield made


@pytest.fixture
def history(server):
    opened = builds.Builds(server.settings.database)
    yield opened
    opened.close()


def command(server, *arguments):
    result = subprocess.run(
        [sys.executable, "-m", "build_hook", "--state", str(server.settings.state), *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    return result.stdout


def followed(server, token, build):
    return server.open(f"/api/v1/builds/{build}/log?follow=1", token)


def queued(history):
    return history.add(builds.Request("shop", "refs/heads/main", builds.Cause.PUSH))


def lines_until(stream, wanted):
    """Lines until one begins so."""
    found = []
    for line in stream:
        found.append(line.decode().rstrip("\n"))
        if found[-1].startswith(wanted):
            return found
    raise AssertionError(f"no {wanted!r} in {found}")


def test_token_from_the_command_line_opens_and_closes_at_once(server):
    secret = command(server, "token", "create", "ci", "--scope", "deploy").strip()
    headers = {"Authorization": f"Bearer {secret}"}

    assert server.request("POST", "/api/v1/projects/shop/deploy", headers).status == 202
    command(server, "token", "revoke", "ci")
    assert server.request("POST", "/api/v1/projects/shop/deploy", headers).status == 401


def test_push_deploy_and_replay_are_one_history(server):
    server.push("d-1")
    admin = server.token("admin")
    replayed = server.request("POST", "/api/v1/deliveries/1/replay", admin)

    listed = json.loads(command(server, "builds", "--json"))["builds"]
    shown = json.loads(command(server, "deliveries", "--show", "1", "--json"))
    assert [b["cause"] for b in listed] == ["replay", "push"]
    assert shown["replays"][0]["actor"] == "token admin"
    assert replayed.json["builds"][0]["id"] == listed[0]["id"]


def test_log_is_followed_while_it_is_written(server, history):
    build = queued(history)
    with (
        contextlib.closing(
            buildlog.BuildLog(buildlog.path(server.settings.logs, build.id), 10**6)
        ) as log,
        followed(server, server.token("read"), build.id) as stream,
    ):
        assert stream.headers["content-type"] == "text/event-stream"
        log("one")
        assert lines_until(stream, "data: one")
        log("two")
        assert lines_until(stream, "data: two")
        log("three")
        history.enter(build.id, builds.Phase.FAILED, "it broke")
        rest = stream.read().decode()

    assert rest.index("data: three") < rest.index("event: end")
    assert rest.endswith('data: {"phase": "failed"}\n\n')


def test_followers_are_bounded_and_leave_their_places(server, history):
    build = queued(history)
    buildlog.path(server.settings.logs, build.id).write_text("one\n")
    token = server.token("read")
    streams = []
    try:
        for _ in range(logs.MOST_FOLLOWERS):
            streams.append(followed(server, token, build.id))
            lines_until(streams[-1], "data: one")
        with pytest.raises(urllib.error.HTTPError) as refused:
            followed(server, token, build.id)
        assert refused.value.code == 503
        assert refused.value.headers["retry-after"]
        refused.value.close()
        started = time.monotonic()
        assert server.push("while-full").status == 202
        assert time.monotonic() - started < 1
    finally:
        for stream in streams:
            stream.close()

    def has_room():
        try:
            followed(server, token, build.id).close()
        except urllib.error.HTTPError as error:
            error.close()
            return False
        return True

    webserver.until(has_room)


def test_stop_does_not_wait_for_followers(server, history):
    build = queued(history)
    buildlog.path(server.settings.logs, build.id).write_text("one\n")
    with followed(server, server.token("read"), build.id) as stream:
        lines_until(stream, "data: one")
        started = time.monotonic()
        server.process.terminate()
        server.process.wait(15)

    assert time.monotonic() - started < 5


def test_deliveries_are_taken_while_orders_wait_for_the_disk(server):
    token = server.token("deploy")
    server.push("d-1")
    blocker = session.Session(server.settings.database)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        with blocker.transaction():
            waiting = [
                pool.submit(server.request, "POST", "/api/v1/projects/shop/deploy", token)
                for _ in range(8)
            ]
            time.sleep(0.3)
            assert server.push("d-1", secret=b"guess").status == 401
            assert server.request("GET", "/", {}).status == 200
        assert {answer.result().status for answer in waiting} == {202}
    blocker.close()


def test_guesses_are_429_and_the_good_token_passes(server):
    good = server.token("read")
    found = [
        server.request("GET", "/api/v1/builds", {"Authorization": f"Bearer {n}"}).status
        for n in range(40)
    ]

    assert found[0] == 401
    assert found[-1] == 429
    assert server.request("GET", "/api/v1/builds", good).status == 200
    assert server.push("d-1").status == 202


def test_web_with_the_api_in_use_stays_small(server):
    server.push("d-1")
    admin = server.token("admin")
    for path in ("openapi.json", "projects", "builds", "builds/1/log", "deliveries"):
        assert server.request("GET", f"/api/v1/{path}", admin).status == 200

    assert memory(server.process.pid) < 70 * 2**20


def memory(pid):
    """Proportional share of a process and its children, in bytes."""
    tasks = f"/proc/{pid}/task/{pid}/children"
    with open(tasks, encoding="ascii") as file:
        pids = [str(pid), *file.read().split()]
    total = 0
    for one in pids:
        with open(f"/proc/{one}/smaps_rollup", encoding="ascii") as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    return total * 1024


def test_settings_reach_the_server(tmp_path):
    with webserver.serving(tmp_path, TRUSTED_PROXIES="127.0.0.0/8") as server:
        headers = {"X-Forwarded-For": "203.0.113.9"}
        server.request("GET", "/api/v1/builds", headers)

        assert "remote='203.0.113.9'" in server.log.read_text()
        assert os.path.exists(server.settings.database)
