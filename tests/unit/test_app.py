import asyncio
import gc
import json
import threading
import time

import pytest

from benchmarks import signed_push
from build_hook import registry, wake
from build_hook.store import database
from build_hook.web import catalogue, inbox
from tests import world as worlds


@pytest.fixture
def world(tmp_path):
    return worlds.World(tmp_path / "state")


@pytest.mark.parametrize("path", ["/", "/hooks/shop"])
def test_push_is_answered_with_its_build(world, path):
    result = world.call(worlds.push(path))

    assert result.status_code == 202
    assert result.json == {
        "success": True,
        "hooks": [
            {
                "name": "shop",
                "repository": "https://github.example/octocat/shop.git",
                "branch": "main",
                "command": None,
                "cwd": None,
            }
        ],
        "builds": [
            {
                "id": 1,
                "project": "shop",
                "commit": signed_push.COMMIT,
                "url": "http://falconframework.org/api/v1/builds/1",
            }
        ],
    }
    assert world.rows("SELECT project, ref, commit_id, cause, delivery FROM builds") == [
        ("shop", "refs/heads/main", signed_push.COMMIT, "push", 1)
    ]


def test_delivery_is_stored_raw_with_its_verdict(world):
    call = worlds.push()
    call["headers"] |= {"Authorization": "Basic c2VjcmV0", "X-Gitlab-Token": "secret"}
    world.call(call)

    ((provider, delivery_id, event, body, headers, verdict),) = world.rows(
        "SELECT provider, delivery_id, event, body, headers, verdict FROM deliveries"
    )
    assert (provider, delivery_id, event) == ("github", "d-1", "push")
    assert body == call["body"]
    headers = json.loads(headers)
    assert headers["authorization"] == headers["x-gitlab-token"] == "***"
    assert headers["x-github-delivery"] == "d-1"
    verdict = json.loads(verdict)
    assert verdict["verified"] is True
    assert verdict["secret"] == "shop"
    assert verdict["matches"][0]["action"] == "build"


def test_links_use_the_configured_address(tmp_path):
    world = worlds.World(tmp_path / "state", PUBLIC_URL="https://hooks.example/ci/")

    result = world.call(worlds.push())

    assert result.json["builds"][0]["url"] == "https://hooks.example/ci/api/v1/builds/1"


def test_delivery_that_came_before_starts_nothing(world):
    first, second = world.call(worlds.push(), worlds.push())

    assert second.status_code == 200
    assert "already received" in second.json["ignored"]
    assert second.json["builds"] == first.json["builds"]
    assert world.rows("SELECT count(*) FROM builds") == [(1,)]


def test_push_to_another_branch_is_ignored_and_says_why(world):
    body = signed_push.body(ref="refs/heads/topic")
    result = world.call(worlds.push(body=body))

    assert result.status_code == 200
    assert "refs/heads/topic" in result.json["ignored"]
    assert result.json["builds"] == []
    assert world.rows("SELECT count(*) FROM deliveries") == [(1,)]


@pytest.mark.parametrize("path", ["/", "/hooks/shop"])
def test_wrong_signature_is_refused_and_not_stored(world, path):
    result = world.call(worlds.push(path, secret=b"guess"))

    assert result.status_code == 401
    assert result.json["success"] is False
    assert result.json["hint"]
    assert world.rows("SELECT count(*) FROM deliveries") == [(0,)]


def test_missing_signature_is_refused(world):
    call = worlds.push()
    del call["headers"]["X-Hub-Signature-256"]

    assert world.call(call).status_code == 401


def test_signature_header_that_came_twice_is_refused(world):
    call = worlds.push()
    call["headers"] = [*call["headers"].items(), ("X-Hub-Signature-256", "sha256=00")]

    assert world.call(call).status_code == 401


def test_refused_delivery_does_not_use_up_its_id(world):
    refused, accepted = world.call(worlds.push(secret=b"guess"), worlds.push())

    assert (refused.status_code, accepted.status_code) == (401, 202)


def test_unproven_ping_is_answered_but_not_stored(world):
    body = json.dumps({"zen": "Keep it", "hook_id": 1}).encode()
    headers = {"Content-Type": "application/json", "X-GitHub-Event": "ping"}
    headers["X-GitHub-Delivery"] = "p-1"
    result = world.call({"method": "POST", "path": "/", "body": body, "headers": headers})

    assert result.status_code == 200
    assert "ping" in result.json["ignored"]
    assert world.rows("SELECT count(*) FROM deliveries") == [(0,)]


def test_unknown_project_is_404(world):
    result = world.call(worlds.push("/hooks/nobody"))

    assert result.status_code == 404
    assert result.json["success"] is False


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"", "application/json"), (b"{", "application/json"), (b"\xff\x00", "text/plain")],
)
def test_body_that_is_not_understood_is_a_client_error(world, body, content_type):
    result = world.call(worlds.push(body=body, **{"Content-Type": content_type}))

    assert result.status_code in (400, 415, 422)
    assert result.json["success"] is False


def test_large_body_is_read_in_turn(world):
    body = signed_push.body(size=1_000_000)

    assert world.call(worlds.push(body=body)).status_code == 202
    assert world.rows("SELECT length(body) FROM deliveries") == [(len(body),)]


def test_body_over_the_setting_is_413(tmp_path):
    world = worlds.World(tmp_path / "state", MAX_BODY_MB="0.00390625")
    result = world.call(worlds.push())

    assert result.status_code == 413
    assert "0.00390625 MiB" in result.json["error"]


def test_get_on_a_hook_names_the_call_that_works(world):
    result = world.get("/hooks/shop")

    assert result.status_code == 405
    assert result.headers["allow"] == "POST"
    assert "signed" in result.json["hint"]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nowhere", 404), ("PUT", "/", 405)]
)
def test_errors_of_the_framework_have_the_same_shape(world, method, path, status):
    result = world.call({"method": method, "path": path})

    assert result.status_code == status
    assert set(result.json) == {"success", "error", "hint"}
    assert result.json["hint"]


def test_full_disk_is_503_with_retry_after(world, monkeypatch):
    async def refuse(*_):
        raise inbox.UnavailableError("database or disk is full", "Send it again later")

    monkeypatch.setattr(inbox.Inbox, "put", refuse)
    result = world.call(worlds.push())

    assert result.status_code == 503
    assert result.headers["retry-after"] == "5"
    assert "full" in result.json["error"]


def test_fault_is_500_without_its_words_and_logged(world, monkeypatch, capsys):
    def fault(*_, **__):
        raise RuntimeError("the secret is\nhunter2")

    monkeypatch.setattr("build_hook.judging.judge.judge", fault)
    result = world.call(worlds.push())

    assert result.status_code == 500
    assert "hunter2" not in result.text
    assert "event=fault" in capsys.readouterr().err


def test_worker_is_woken_for_a_build_and_at_the_start(world):
    listener = wake.Listener(world.options.run)
    try:
        world.get("/healthz")
        assert listener.wait(0.1) == {wake.Nudge.RECONCILE}
        world.call(worlds.push())
        assert wake.Nudge.QUEUE in listener.wait(0.1)
    finally:
        listener.close()


def test_listing_is_hooked_s_shape_without_paths_and_passwords(world):
    token = worlds.SHOP.model_copy(
        update={"name": "blog", "repository": "https://t0ken@github.example/a/blog"}
    )
    world.register(worlds.SHOP, token)
    result = world.get("/")

    assert result.status_code == 200
    assert result.json["success"] is True
    assert [hook["name"] for hook in result.json["hooks"]] == ["shop", "blog"]
    assert result.json["hooks"][1]["repository"] == "https://github.example/a/blog"
    assert all(hook["command"] is hook["cwd"] is None for hook in result.json["hooks"])


def test_listing_warns_of_a_project_that_is_found_by_its_short_name(world):
    short = worlds.SHOP.model_copy(
        update={"name": "short", "match": "short-name", "allow_unsigned": True}
    )
    world.register(worlds.SHOP, short)

    plain, warned = world.get("/").json["hooks"]

    assert "warning" not in plain
    assert "found by its short name" in warned["warning"]
    assert "unsigned" not in warned["warning"]
    assert "found by its short name" in world.get("/", Accept="text/html").text


def test_browser_gets_a_page_in_which_nothing_runs(world):
    hostile = worlds.SHOP.model_copy(
        update={"repository": "https://h.example/<script>alert(1)</script>"}
    )
    world.register(hostile)
    result = world.get("/", Accept="text/html,application/xhtml+xml,*/*;q=0.8")

    assert result.headers["content-type"].startswith("text/html")
    assert "<script>" not in result.text
    assert "&lt;script&gt;" in result.text


def test_registry_is_picked_up_without_a_restart_but_not_looked_at_each_time(world):
    now = [0.0]
    projects = catalogue.Catalogue(
        registry.Reader(world.options.registry), interval=0.5, clock=lambda: now[0]
    )
    assert [p.name for p in projects.registry.projects] == ["shop"]
    world.register(worlds.SHOP, worlds.SHOP.model_copy(update={"name": "other"}))

    now[0] = 0.4
    assert [p.name for p in projects.registry.projects] == ["shop"]
    now[0] = 0.5
    assert [p.name for p in projects.registry.projects] == ["shop", "other"]
    assert projects.index.find("other") is not None


def test_health(world):
    result = world.get("/healthz")

    assert result.status_code == 200
    assert result.json == {"ok": True, "database": "ok", "registry": "ok", "projects": 1}


def test_bad_registry_keeps_the_last_good_one_and_is_told(world, tmp_path):
    projects = catalogue.Catalogue(registry.Reader(world.options.registry), interval=0)
    assert projects.problem is None
    world.options.registry.write_text('{"version": 1, "projects": [{"name": "BAD"}]}')

    problem = projects.problem or ""
    assert "registry" in problem
    assert str(tmp_path) not in problem
    assert [p.name for p in projects.registry.projects] == ["shop"]
    assert projects.index.find("shop") is not None


def test_health_tells_a_bad_registry(world):
    world.options.registry.write_text("{")
    result = world.get("/healthz")

    assert result.status_code == 503
    assert result.json["ok"] is False
    assert "registry" in result.json["registry"]
    assert str(world.options.state) not in result.text


def test_health_tells_a_locked_database(world, monkeypatch):
    blocker = database.connect(world.options.database)
    blocker.execute("BEGIN IMMEDIATE")
    try:
        store = inbox.Inbox(world.options.database, lambda: None, patience=0.1)
        monkeypatch.setattr(inbox, "Inbox", lambda *_: store)
        result = world.get("/healthz")
    finally:
        blocker.execute("ROLLBACK")
        blocker.close()

    assert result.status_code == 503
    assert "locked" in result.json["database"]


def test_a_registry_that_is_followed_changes_without_the_loop_waiting(world, monkeypatch):
    async def follow():
        reader = registry.Reader(world.options.registry)
        projects = catalogue.Catalogue(reader, interval=0.01)
        slow = reader.refresh
        threads = set()

        def refresh(_):
            threads.add(threading.current_thread())
            time.sleep(0.1)
            return slow()

        monkeypatch.setattr(registry.Reader, "refresh", refresh)
        following = asyncio.create_task(projects.follow())
        await asyncio.sleep(0.02)
        world.register(worlds.SHOP, worlds.SHOP.model_copy(update={"name": "other"}))
        longest, turns, last = 0.0, 0, time.monotonic()
        while projects.index.find("other") is None and turns < 1000:
            await asyncio.sleep(0.005)
            now = time.monotonic()
            longest, turns, last = max(longest, now - last), turns + 1, now
        following.cancel()
        return longest, projects, threads

    longest, projects, threads = asyncio.run(follow())

    assert [p.name for p in projects.registry.projects] == ["shop", "other"]
    assert threading.main_thread() not in threads
    assert longest < 0.08
    assert gc.isenabled()
