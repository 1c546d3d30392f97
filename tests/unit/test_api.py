"""The API over a real state folder, and its answers against its own document."""

import json
import re
import time

import jsonschema_rs
import pytest

from benchmarks import signed_push
from build_hook import card, wake
from build_hook.deploy import buildlog, condition
from build_hook.store import builds, cards, session, tokens
from build_hook.web.api import openapi, resources, routes
from tests import world as worlds

CALLS = [(route.method, route.path, route) for route in routes.ROUTES]
NAMES = [route.name for route in routes.ROUTES]


@pytest.fixture
def world(tmp_path):
    return worlds.World(tmp_path / "state")


@pytest.fixture
def history(world):
    opened = builds.Builds(world.options.database)
    yield opened
    opened.close()


@pytest.fixture
def admin(world):
    return world.token("admin")


def call(path, headers, method="GET", body=None, query=""):
    made = {"method": method, "path": f"/api/v1{path}", "headers": headers, "query_string": query}
    if body is not None:
        made["body"] = body if isinstance(body, bytes) else json.dumps(body)
        made["headers"] = {"Content-Type": "application/json", **headers}
    return made


def post(path, headers, body=None):
    return call(path, headers, "POST", body)


def went_live(history, commit, image):
    """A build that went live with an image of its own."""
    build = history.add(
        builds.Request("shop", "refs/heads/main", builds.Cause.PUSH, commit=commit)
    )
    history.note(build.id, image=image)
    history.enter(build.id, builds.Phase.LIVE)
    previous = history.serving().get("shop")
    history.set_serving("shop", build.id, previous and previous.build)
    return build.id


# --- projects and builds -------------------------------------------------------------------


def test_projects_tell_what_serves_and_what_is_wrong(world, admin, history):
    live = went_live(history, "c" * 40, "sha256:1")
    failed = history.add(builds.Request("shop", "refs/heads/main", builds.Cause.PUSH))
    history.enter(failed.id, builds.Phase.FAILED, "no Dockerfile")
    said = {"engine": "it is down", "web": "no port", "projects": {"shop": "its port is taken"}}
    condition.write(world.options.run, condition.Condition.model_validate(said))
    token = worlds.SHOP.model_copy(
        update={
            "name": "blog",
            "repository": "https://t0ken@github.example/a/blog",
            "allow_unsigned": True,
            "match": "short-name",
        }
    )
    world.register(worlds.SHOP, token)

    result = world.call(call("/projects", admin))

    blog, shop = result.json["projects"]
    assert (shop["live"]["id"], shop["last"]["id"]) == (live, failed.id)
    assert shop["last"]["reason"] == "no Dockerfile"
    assert shop["problem"] == "its port is taken"
    assert result.json["engine_problem"] == "it is down"
    assert result.json["web_problem"] == "no port"
    assert blog["repository"] == "https://github.example/a/blog"
    assert "unsigned" in blog["warning"]
    assert "short name" in blog["warning"]
    assert blog["live"] is blog["last"] is None


def test_projects_come_in_pages_by_name(world, admin):
    names = ["d", "a", "c", "b", "e"]
    world.register(*(worlds.SHOP.model_copy(update={"name": name}) for name in names))

    seen, after = [], ""
    while after is not None:
        query = f"?limit=2{after and f'&after={after}'}"
        page = world.call(call(f"/projects{query}", admin)).json
        assert len(page["projects"]) <= 2
        seen += [found["name"] for found in page["projects"]]
        after = page["next"]

    assert seen == sorted(names)
    whole = world.call(call("/projects", admin)).json
    assert [found["name"] for found in whole["projects"]] == sorted(names)
    assert whole["next"] is None


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "after=../x", "page=2"])
def test_page_of_projects_that_is_none_is_refused(world, admin, query):
    assert world.call(call(f"/projects?{query}", admin)).status_code in (400, 422)


def test_project_by_name(world, admin):
    good, bad = world.call(call("/projects/shop", admin), call("/projects/nobody", admin))

    assert good.json["name"] == "shop"
    assert bad.status_code == 404


def test_builds_are_listed_page_by_page(world, admin, history):
    for number in range(5):
        project = ("shop", "blog")[number % 2]
        history.add(builds.Request(project, "refs/heads/main", builds.Cause.PUSH))

    first, second, third, blog = world.call(
        call("/builds", admin, query="limit=2"),
        call("/builds", admin, query="limit=2&before=4"),
        call("/builds", admin, query="limit=2&before=2"),
        call("/builds", admin, query="project=blog"),
    )

    assert [b["id"] for b in first.json["builds"]] == [5, 4]
    assert first.json["next"] == 4
    assert [b["id"] for b in second.json["builds"]] == [3, 2]
    assert [b["id"] for b in third.json["builds"]] == [1]
    assert third.json["next"] is None
    assert [b["id"] for b in blog.json["builds"]] == [4, 2]


def test_build_is_shown_without_its_environment(world, admin, history):
    world.call(worlds.push())
    history.note(1, settings='{"environment": {"PASSWORD": "hunter2"}}')
    result = world.call(call("/builds/1", admin))

    assert result.json["project"] == "shop"
    assert result.json["commit"] == signed_push.COMMIT
    assert result.json["phases"][0]["phase"] == "queued"
    assert result.json["log"].endswith("/api/v1/builds/1/log")
    assert result.headers["cache-control"] == "no-store"
    assert "hunter2" not in result.text


def test_build_tells_its_settings_and_why_it_failed(world, admin, history):
    build = history.add(builds.Request("shop", "refs/heads/main", builds.Cause.PUSH))
    given = '{"name": "shop", "repository": "https://g.example/a", "watch": 7}'
    history.note(build.id, settings=given)
    why = card.Card(phase="building", reason="it broke", next="build-hook logs 1", exit_code=3)
    cards.keep(history.session, build.id, why)
    history.enter(build.id, builds.Phase.FAILED, "building: it broke")

    found = world.call(call("/builds/1", admin)).json

    assert found["card"] == why.model_dump(mode="json")
    assert found["settings"]["watch"] == 7
    assert found["phases"][0]["seconds"] >= 0
    assert found["phases"][1]["seconds"] is None


@pytest.mark.parametrize("where", ["/projects/shop", ""])
def test_pause_is_shown_and_holds_deploys_until_resume(world, admin, history, where):
    paused, shown, refused, forced, resumed, free = world.call(
        post(f"{where}/pause", admin, {"reason": "stocktaking"}),
        call("/projects/shop", admin),
        post("/projects/shop/deploy", admin),
        post("/projects/shop/deploy", admin, {"force": True}),
        post(f"{where}/resume", admin),
        call("/projects/shop", admin),
    )

    assert paused.json["reason"] == "stocktaking"
    assert paused.json["project"] == ("shop" if where else None)
    assert "stocktaking" in shown.json["held"]
    assert refused.status_code == 409
    assert "force" in refused.json["hint"]
    assert forced.status_code == 202
    assert history.get(forced.json["id"]).force
    assert resumed.json["paused"] is False
    assert free.json["held"] is None


def test_push_to_a_paused_project_is_taken_with_a_note(world, admin, history):
    _, told = world.call(post("/projects/shop/pause", admin), worlds.push())

    assert told.status_code == 202
    assert told.json["builds"]
    assert "shop is paused since" in told.json["note"]


def test_fresh_deploy_is_asked_for(world, admin, history):
    asked = world.call(post("/projects/shop/deploy", admin, {"fresh": True}))

    assert history.get(asked.json["id"]).fresh


@pytest.mark.parametrize("number", ["2", "0", "x", "99999999999999999999999", "../1"])
def test_build_that_is_not_there_is_404(world, admin, number):
    assert world.call(call(f"/builds/{number}", admin)).status_code == 404


def test_deploy_queues_and_wakes_the_worker(world, admin):
    listener = wake.Listener(world.options.run)
    try:
        tracked, other = world.call(
            post("/projects/shop/deploy", admin),
            post("/projects/shop/deploy", admin, {"ref": "refs/tags/v1"}),
        )
        assert wake.Nudge.QUEUE in listener.wait(0.1)
    finally:
        listener.close()

    assert (tracked.status_code, tracked.json["ref"]) == (202, "refs/heads/main")
    assert (other.json["ref"], other.json["cause"]) == ("refs/tags/v1", "deploy")
    assert world.rows("SELECT cause, ref FROM builds WHERE finished IS NULL") == [
        ("deploy", "refs/tags/v1")
    ]


@pytest.mark.parametrize("ref", ["a b", "-x..y", "refs/heads/x.lock", "@{0}", "", 7, "x" * 300])
def test_deploy_of_what_cannot_be_a_ref_is_422(world, admin, ref):
    result = world.call(post("/projects/shop/deploy", admin, {"ref": ref}))

    assert result.status_code == 422
    assert "ref" in result.json["error"]
    assert world.rows("SELECT count(*) FROM builds") == [(0,)]


def test_rollback_goes_to_the_version_before_or_a_named_one(world, admin, history):
    first = went_live(history, "a" * 40, "sha256:1")
    second = went_live(history, "b" * 40, "sha256:2")
    went_live(history, "c" * 40, "sha256:3")

    before, named = world.call(
        post("/projects/shop/rollback", admin),
        post("/projects/shop/rollback", admin, {"to": first}),
    )

    assert (before.status_code, before.json["source"]) == (202, second)
    assert (named.json["source"], named.json["commit"]) == (first, "a" * 40)
    assert named.json["cause"] == "rollback"


def test_rollback_to_nothing_says_why(world, admin, history):
    queued = history.add(builds.Request("blog", "refs/heads/main", builds.Cause.PUSH))
    none, missing, other = world.call(
        post("/projects/shop/rollback", admin),
        post("/projects/shop/rollback", admin, {"to": 99}),
        post("/projects/shop/rollback", admin, {"to": queued.id}),
    )

    assert (none.status_code, missing.status_code, other.status_code) == (409, 404, 409)
    assert "no earlier version" in none.json["error"]
    assert "has no image of shop" in other.json["error"]


def test_cancel(world, admin, history):
    build = history.add(builds.Request("shop", "refs/heads/main", builds.Cause.PUSH))
    done, again, missing = world.call(
        post(f"/builds/{build.id}/cancel", admin),
        post(f"/builds/{build.id}/cancel", admin),
        post("/builds/99/cancel", admin),
    )

    assert (done.status_code, done.json["phase"]) == (202, "cancelled")
    assert (again.status_code, missing.status_code) == (409, 404)
    assert "ended already" in again.json["error"]


def test_order_is_logged_with_the_token_s_name(world, capsys):
    world.call(post("/projects/shop/deploy", world.token("deploy", name="chat-bot")))

    assert "event=order call='deploy_project' token='chat-bot'" in capsys.readouterr().err


# --- logs ----------------------------------------------------------------------------------


def test_log_is_text(world, admin):
    world.call(worlds.push())
    buildlog.path(world.options.logs, 1).write_text("<b>one</b>\n" * 20_000)
    result = world.call(call("/builds/1/log", admin))

    assert result.headers["content-type"] == "text/plain; charset=utf-8"
    assert result.text == "<b>one</b>\n" * 20_000


def test_log_that_has_not_begun_is_empty(world, admin):
    world.call(worlds.push())
    result = world.call(call("/builds/1/log", admin))

    assert (result.status_code, result.text) == (200, "")


@pytest.mark.parametrize("query", ["follow=2", "follow=yes", "folow=1", "follow=1&follow=1"])
def test_log_parameter_that_is_wrong_is_422(world, admin, history, query):
    history.add(builds.Request("shop", "refs/heads/main", builds.Cause.PUSH))

    assert world.call(call("/builds/1/log", admin, query=query)).status_code == 422


# --- deliveries ----------------------------------------------------------------------------


def test_deliveries_are_listed_and_shown(world, admin):
    world.call(worlds.push(delivery="d-1"), worlds.push("/hooks/shop", "d-2"))
    every, page, one, none = world.call(
        call("/deliveries", admin, query="project=shop"),
        call("/deliveries", admin, query="limit=1"),
        call("/deliveries/1", admin),
        call("/deliveries/9", admin),
    )

    assert [d["delivery_id"] for d in every.json["deliveries"]] == ["d-2", "d-1"]
    assert page.json["next"] == 2
    assert one.json["matches"][0]["action"] == "build"
    assert one.json["builds"][0]["url"].endswith("/api/v1/builds/1")
    assert one.json["headers"]["x-github-delivery"] == "d-1"
    assert none.status_code == 404


def test_replay_queues_though_the_id_is_known_and_records_who_wanted_it(world):
    world.call(worlds.push())
    deploy, admin = world.token("deploy", name="chat-bot"), world.token("admin")
    replayed, shown, missing = world.call(
        post("/deliveries/1/replay", deploy),
        call("/deliveries/1", admin),
        post("/deliveries/9/replay", deploy),
    )

    assert replayed.status_code == 202
    assert [build["id"] for build in replayed.json["builds"]] == [2]
    assert replayed.json["reasons"] == ["shop: refs/heads/main moved"]
    assert [replay["actor"] for replay in shown.json["replays"]] == ["token chat-bot"]
    assert world.rows("SELECT cause, delivery FROM builds WHERE id = 2") == [("replay", 1)]
    assert missing.status_code == 404


# --- who may -------------------------------------------------------------------------------


def concrete(path):
    return path.replace("{name}", "shop").replace("{id}", "1")


@pytest.mark.parametrize(("method", "path", "route"), CALLS, ids=NAMES)
def test_every_call_wants_a_token_of_its_scope(world, method, path, route):
    order = list(tokens.Scope)
    needed = order.index(route.scope)
    found = [
        world.call(call(concrete(path), world.token(scope), method)).status_code for scope in order
    ]
    nobody = world.call(call(concrete(path), {}, method))

    assert nobody.status_code == 401
    assert nobody.headers["www-authenticate"].startswith("Bearer")
    assert found[:needed] == [403] * needed
    assert all(status in (200, 202, 404, 409) for status in found[needed:])


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer ", "Bearer x", "Basic {}", "{}", "Bearer {}x"]
)
def test_what_is_no_good_token_is_401_and_says_what_to_do(world, authorization):
    secret = world.token()["Authorization"].removeprefix("Bearer ")
    result = world.call(call("/builds", {"Authorization": authorization.format(secret)}))

    assert result.status_code == 401
    assert "build-hook token create" in result.json["hint"]


def test_scheme_is_case_insensitive(world):
    secret = world.token()["Authorization"].removeprefix("Bearer ")

    assert world.call(call("/builds", {"Authorization": f"bearer {secret}"})).status_code == 200


def test_expired_token_is_401(world):
    assert world.call(call("/builds", world.token(expires=time.time() - 1))).status_code == 401


def test_who_guesses_is_told_to_wait_and_a_good_token_never(world, admin, monkeypatch):
    monkeypatch.setattr(
        "build_hook.web.limiter.Limiter.__init__.__kwdefaults__",
        {"burst": 3, "every": 60.0, "most": 10, "clock": time.monotonic},
    )
    wrong = {"Authorization": "Bearer wrong"}
    *guesses, good, after = world.call(
        *[call("/builds", wrong)] * 5, call("/builds", admin), call("/builds", wrong)
    )

    assert [guess.status_code for guess in guesses] == [401, 401, 401, 429, 429]
    assert 0 < int(guesses[-1].headers["retry-after"]) <= 60
    assert good.status_code == 200
    assert after.status_code == 429


# --- what is asked -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 422),
        (b"null", "application/json", 422),
        (b"[]", "application/json", 422),
        (b'{"reff": "main"}', "application/json", 422),
        (b'{"ref": null}', "application/json; charset=utf-8", 202),
        (b"ref=main", "application/x-www-form-urlencoded", 415),
        (b'{"ref": "main"}', "", 415),
        (b" " * (resources.LONGEST_BODY + 1), "application/json", 413),
        (b"", "", 202),
        (b"[" * 60_000, "application/json", 422),
        (b'{"ref": "\xff"}', "application/json", 422),
    ],
)
def test_bodies(world, admin, body, kind, status):
    headers = {**admin, "Content-Type": kind} if kind else admin
    result = world.call(
        {
            "method": "POST",
            "path": "/api/v1/projects/shop/deploy",
            "body": body,
            "headers": headers,
        }
    )

    assert result.status_code == status


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=x",
        "limit=",
        "before=0",
        "project=A",
        "page=2",
        "limit=1&limit=2",
    ],
)
def test_query_that_is_wrong_is_422_and_names_the_parameter(world, admin, query):
    result = world.call(call("/builds", admin, query=query))

    assert result.status_code == 422
    assert query.partition("=")[0] in result.json["error"]


def test_database_that_is_in_the_way_is_503(world, admin):
    world.options.database.write_bytes(b"not a database" * 100)
    result = world.call(call("/builds", admin))

    assert result.status_code == 503
    assert result.headers["retry-after"]


def test_database_that_is_locked_for_long_is_503_for_orders_and_nothing_to_readers(
    world, admin, monkeypatch
):
    monkeypatch.setattr("build_hook.web.api.parts.PATIENCE", 0.1)
    blocker = session.Session(world.options.database)
    try:
        with blocker.transaction():
            order, read = world.call(
                post("/projects/shop/deploy", admin), call("/projects", admin)
            )
    finally:
        blocker.close()

    assert (order.status_code, read.status_code) == (503, 200)
    assert "locked" in order.json["error"]
    assert order.headers["retry-after"]


def test_errors_of_the_framework_name_the_document(world):
    nowhere, wrong = world.call(call("/nowhere", {}), call("/builds", {}, "DELETE"))

    assert (nowhere.status_code, wrong.status_code) == (404, 405)
    assert wrong.headers["allow"]
    assert "openapi.json" in nowhere.json["hint"]
    assert "openapi.json" in wrong.json["hint"]


# --- the document --------------------------------------------------------------------------


def test_document_is_for_everybody_and_names_every_call_and_scope(world):
    result = world.call(call("/openapi.json", {}))

    found = {
        (method.upper(), path.removeprefix("/api/v1")): operation["x-scope"]
        for path, operations in result.json["paths"].items()
        for method, operation in operations.items()
    }
    assert found == {(route.method, route.path): str(route.scope) for route in routes.ROUTES}
    assert result.json["openapi"].startswith("3.1")


def test_every_operation_says_what_it_does():
    said = [
        operation
        for operations in openapi.document()["paths"].values()
        for operation in operations.values()
    ]

    assert all(re.fullmatch(r"[A-Z].+\.", operation["summary"]) for operation in said)
    assert len({operation["operationId"] for operation in said}) == len(said)


def validate(route, result):
    """The answer is one that the document announces, and looks as it says."""
    document = openapi.document()
    operation = document["paths"][routes.PREFIX + route.path][route.method.lower()]
    content = operation["responses"][str(result.status_code)]["content"]
    kind = result.headers["content-type"].partition(";")[0]
    schema = {**content[kind]["schema"], "components": document["components"]}
    if kind == "application/json":
        jsonschema_rs.validator_for(schema).validate(result.json)


@pytest.mark.parametrize(("method", "path", "route"), CALLS, ids=NAMES)
def test_answers_are_as_the_document_says(world, admin, history, method, path, route):
    went_live(history, "a" * 40, "sha256:1")
    went_live(history, "b" * 40, "sha256:2")
    world.call(worlds.push())
    where = concrete(path).replace("/1/cancel", "/3/cancel")
    good, wrong, none, nobody = world.call(
        call(where, admin, method),
        call(where, admin, method, query="x=y"),
        call(path.replace("{name}", "none").replace("{id}", "99"), admin, method),
        call(where, {}, method),
    )

    for result in (good, wrong, none, nobody):
        validate(route, result)
    assert good.status_code == route.status
    assert wrong.status_code == 422
    assert nobody.status_code == 401


def test_schemas_of_the_document_are_json_schema():
    for schema in openapi.document()["components"]["schemas"].values():
        jsonschema_rs.meta.validate(schema)
