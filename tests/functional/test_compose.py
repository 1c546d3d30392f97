"""Projects of several containers: only what changed is replaced, all of it or nothing."""

import shutil
import socket
import time

import pytest

from build_hook import project
from build_hook.demo import baseimage, traffic
from build_hook.store import builds
from tests.functional import composed


def test_only_the_changed_service_is_replaced_and_nobody_notices(host):
    shop = composed.Shop(host, "shop")
    shop.live()
    assert shop.of.get() == "web-1/api-1/starts-1"
    first = shop.containers()
    assert first.keys() == {"web", "api", "db"}

    with traffic.Traffic({"shop": shop.of.url}, 2) as load:
        assert load.wait_for("shop", "web-1/api-1/starts-1", 30)
        shop.live(**{"api/index__cgi": composed.api("2")})
        assert load.wait_for("shop", "web-1/api-2/starts-1", 30)
        load.stop()

    second = shop.containers()
    assert load.failures() == {}
    assert {name for name in first if first[name] != second[name]} == {"api"}


def test_a_broken_service_leaves_the_whole_project_as_it_was(host):
    shop = composed.Shop(host, "mend")
    good = shop.live()
    first = shop.containers()

    with traffic.Traffic({"mend": shop.of.url}, 2) as load:
        assert load.wait_for("mend", "web-1/api-1/starts-1", 30)
        broken = shop.deploy(**{"api/index__cgi": composed.api("2"), "web/serve__sh": "exit 3\n"})
        load.stop()

    assert broken.phase is builds.Phase.FAILED
    assert "Service web: The container died with exit status 3" in (broken.reason or "")
    assert load.failures() == {}
    assert shop.containers() == first
    assert shop.of.get() == "web-1/api-1/starts-1"
    assert host.store.serving()["mend"].build == good.id

    shop.live(**{"web/serve__sh": composed.SERVE})
    assert shop.of.get() == "web-1/api-2/starts-1"


def test_what_holds_data_is_recreated_while_requests_wait(host):
    shop = composed.Shop(host, "data")
    shop.live()
    first = shop.containers()

    with traffic.Traffic({"data": shop.of.url}, 2) as load:
        assert load.wait_for("data", "web-1/api-1/starts-1", 30)
        shop.live(**{"db/serve__sh": f"# another\n{composed.DB}"})
        assert load.wait_for("data", "web-1/api-1/starts-2", 30)
        load.stop()

    second = shop.containers()
    assert load.failures() == {}
    assert {name for name in first if first[name] != second[name]} == {"db"}


def test_a_version_that_dies_later_takes_all_its_services_back(host):
    shop = composed.Shop(host, "later")
    good = shop.live()
    shop.of.watched(5)
    first = shop.containers()

    dies = composed.SERVE.replace("wait\n", "busybox sleep 2\nexit 4\n")
    back = shop.deploy(
        **{"api/index__cgi": composed.api("2"), "web/serve__sh": dies, "db/more": "x"}
    )

    assert back.phase is builds.Phase.ROLLED_BACK, back.reason
    assert f"Build {good.id} serves again" in (back.reason or "")
    assert {n: c for n, c in shop.containers().items() if n != "db"} == {
        n: c for n, c in first.items() if n != "db"
    }
    assert host.until(shop.of.answers, "an answer")
    assert shop.of.get().startswith("web-1/api-1/")


# Becomes 500 where what is said tells of trouble.
TROUBLE = r"""
case $said in *trouble*) printf 'Status: 500 Internal Server Error\r\n' ;; esac
"""
LATER = '[ $(( $(date +%s) - $(busybox stat -c %Y /w) )) -lt 4 ] || said="$said/trouble"\n'
WEB = f'#!/bin/sh{composed.ASK}ask api 8000\nsaid="web-1/$answer"\n{TROUBLE}{composed.SAY}'
LEAKS = WEB.replace(TROUBLE, LATER + TROUBLE)
API_LEAKS = (
    f'#!/bin/sh{composed.ASK}ask db 7000\nsaid="api-2/starts-$answer"\n{LATER}{composed.SAY}'
)


@pytest.mark.parametrize(
    ("name", "leak"),
    [
        ("leak-own", {"web/index__cgi": LEAKS}),
        ("leak-below", {"api/index__cgi": API_LEAKS}),  # the published service stays the same
    ],
)
def test_a_version_that_leaks_into_500s_takes_all_its_services_back(host, name, leak):
    more: dict[str, str] = {"web/index.cgi": WEB}
    shop = composed.Shop(host, name, None, 0.5, **more)
    good = shop.live()
    shop.of.watched(30)
    strict = project.Tolerance(errors=5)
    host.replace(host.entry(name).model_copy(update={"tolerance": strict}))
    first = shop.containers()

    with traffic.Traffic({name: shop.of.url}, 3) as load:
        assert load.wait_for(name, "web-1/api-1/starts-1", 30)
        back = shop.deploy(**leak, **{"api/more": "x"})
        ended = time.monotonic()
        time.sleep(2)
        load.stop()

    reason = back.reason or ""
    assert back.phase is builds.Phase.ROLLED_BACK, reason
    assert reason.startswith("Service web: ")
    assert "answers were failures (5xx)" in reason
    assert reason.endswith(f"Build {good.id} serves again")
    assert shop.containers() == first
    assert shop.of.get() == "web-1/api-1/starts-1"
    assert host.run("show", str(back.id))["card"]["reason"] == reason
    assert load.failures().keys() == {f"{name}: status 500"}
    assert load.window(begin=ended).failed == 0


ECHO = "exec nc -llllllll -p 8000 -e /bin/sh /app/answer.sh\n"
ANSWER = 'while read -r line; do echo "web-1 $line"; done\n'


def test_long_sessions_of_a_service_stay_for_their_grace(host):
    more: dict[str, str] = {"web/serve.sh": ECHO, "web/answer.sh": ANSWER}
    shop = composed.Shop(host, "grace", None, 0.5, **more)
    port = {"target": 8000, "published": shop.of.port, "app_protocol": "tcp"}
    of = host.entry("grace").model_dump(exclude_defaults=True)
    of["compose"]["services"]["web"]["ports"] = [port]
    host.replace(project.Project.model_validate({**of, "drain": 0.5, "session_grace": 60}))
    shop.live()
    first = shop.containers()

    with socket.create_connection(("127.0.0.1", shop.of.port), timeout=10) as old:
        assert said(old) == "web-1 hello"
        shop.live(**{"web/answer__sh": ANSWER.replace("web-1", "web-2")})
        assert said(old) == "web-1 hello"
        with socket.create_connection(("127.0.0.1", shop.of.port), timeout=10) as new:
            assert said(new) == "web-2 hello"
        assert first["web"] in running(shop)
    host.until(lambda: first["web"] not in running(shop), "the old version to end", 30)
    assert len(running(shop)) == 3


def said(connection):
    connection.sendall(b"hello\n")
    return connection.recv(100).decode().strip()


def running(shop):
    return {box.id for box in shop.of.boxes() if box.is_running}


def test_roll_back_restores_every_service_without_building(host):
    shop = composed.Shop(host, "undo")
    one = shop.live()
    shop.live(**{"api/index__cgi": composed.api("2"), "web/index__cgi": composed.web("2")})
    assert shop.of.get() == "web-2/api-2/starts-1"

    host.run("rollback", "undo", "--wait")

    assert shop.of.get() == "web-1/api-1/starts-1"
    newest = shop.of.history()[0]
    assert (newest.source, newest.phase) == (one.id, builds.Phase.LIVE)
    assert builds.Phase.BUILDING not in [phase for phase, _ in host.store.phases(newest.id)]


def test_a_worker_that_dies_in_between_loses_no_service(host):
    shop = composed.Shop(host, "kill")
    shop.live()

    with traffic.Traffic({"kill": shop.of.url}, 2) as load:
        assert load.wait_for("kill", "web-1/api-1/starts-1", 30)
        commit = shop.of.push(
            **{"api/index__cgi": composed.api("2"), "web/index__cgi": composed.web("2")}
        )
        shop.of.until(builds.Phase.SWITCHING, commit)
        host.restart("worker")
        assert load.wait_for("kill", "web-2/api-2/starts-1", 120)
        load.stop()

    assert load.failures() == {}
    host.until(lambda: all(b.phase.is_end for b in shop.of.history()), "the end", 60)
    assert shop.containers().keys() == {"web", "api", "db"}


def test_a_migration_runs_first_and_again_only_when_it_changes(host):
    file = composed.FILE.replace(
        "{db: {condition: service_started}}",
        "{db: , migrate: {condition: service_completed_successfully}}",
    ).replace(
        "volumes: {data: }",
        """\
  migrate:
    build: {context: migrate, args: {BASE: "${BASE}"}}
    volumes: ["data:/data"]
    depends_on: [db]
volumes: {data: }""",
    )
    more: dict[str, str] = {
        "compose.yaml": file,
        "migrate/Dockerfile": composed.DOCKERFILE,
        # the database has only started: its own line may not be there yet
        "migrate/serve.sh": "until [ -s /data/index.html ]; do busybox usleep 20000; done\n"
        "echo start >> /data/starts\nbusybox wc -l < /data/starts > /data/index.html\n",
    }
    shop = composed.Shop(host, "move", None, 0.5, **more)
    shop.live()
    assert shop.of.get() == "web-1/api-1/starts-2"

    shop.live(**{"web/index__cgi": composed.web("2")})
    assert shop.of.get() == "web-2/api-1/starts-2"

    failed = shop.deploy(**{"migrate/serve__sh": "exit 5\n", "api/index__cgi": composed.api("2")})
    assert failed.phase is builds.Phase.FAILED
    assert "Service migrate ended with exit status 5" in (failed.reason or "")
    assert shop.of.get() == "web-2/api-1/starts-2"


def test_added_on_the_command_line_and_shown_by_service(host):
    shop = composed.Shop(host, "told")
    host.run(
        "add", "told", "--repository", host.entry("told").repository, "--compose",
        "--publish", f"web={shop.of.port}:8000", "--env", f"BASE={host.base}",
    )  # fmt: skip
    quick = project.Health(min_uptime=0.1, timeout=15)
    host.replace(
        host.entry("told").model_copy(update={"watch": 0.5, "drain": 1.0, "health": quick})
    )
    checked = composed.FILE.replace(
        "    volumes:", "    healthcheck: {test: 'true', interval: 1s}\n    volumes:"
    )
    one = shop.live(compose__yaml=checked)
    two = shop.live(**{"web/index__cgi": composed.web("2")})

    def healthy():
        found = {row["name"]: row for row in shop.of.shown()["services"]}
        return found if found["db"]["condition"] == "running, healthy" else None

    rows = host.until(healthy, "a healthy db")
    assert {name: row["build"] for name, row in rows.items()} == {
        "db": one.id, "api": one.id, "web": two.id,
    }  # fmt: skip
    assert (rows["web"]["commit"], rows["db"]["commit"]) == (two.commit, one.commit)
    assert {name: row["containers"][0]["id"] for name, row in rows.items()} == shop.containers()
    assert shop.of.shown()["ports"] == [shop.of.port]
    assert host.run("show", "told")["services"] == list(rows.values())

    host.engine.api.kill(rows["db"]["containers"][0]["id"])
    host.until(lambda: healthy() is None, "the news")


def test_a_repository_without_dockerfile_leads_to_compose(host):
    made = host.add("hinted")
    build = made.deploy(Dockerfile=None, compose__yaml="services: {}\n")

    assert build.phase is builds.Phase.FAILED
    assert "build-hook add hinted --compose" in (build.reason or "")


# Says which container it is; the name of a service leads to one of its replicas.
WHO = f"""#!/bin/sh{composed.ASK}ask api 8000\nsaid="$(busybox hostname)/$answer"{composed.SAY}"""
API = f"""#!/bin/sh
said="api-1@$(busybox hostname)"{composed.SAY}"""
REPLICAS = composed.FILE.replace(
    "    depends_on: [api]", "    depends_on: [api]\n    scale: 3"
).replace("    depends_on: {db", "    deploy: {replicas: 2}\n    depends_on: {db")


@pytest.fixture
def replicated(host):
    """Three of web, which is published, and two of api."""
    more: dict[str, str] = {
        "compose.yaml": REPLICAS,
        "web/index.cgi": WHO,
        "api/index.cgi": API,
    }
    shop = composed.Shop(host, "many", None, 0.5, **more)
    shop.live()
    yield shop
    host.unregister("many")
    host.until(lambda: not shop.of.boxes(), "its end", 30)


def replicas(shop):
    found = (box for box in shop.of.boxes() if box.is_running)
    return {box.service: [one.id for one in box.every] for box in found}


def answers(shop):
    """The webs that answer, and the apis that these find."""
    said = [shop.of.get().split("/") for _ in range(24)]
    return {web for web, _ in said}, {api for _, api in said}


def test_replicas_of_services_are_balanced_replaced_and_tended(host, replicated):
    shop = replicated
    first = replicas(shop)
    assert {name: len(ids) for name, ids in first.items()} == {"web": 3, "api": 2, "db": 1}
    webs, apis = answers(shop)
    assert webs == {one[:12] for one in first["web"]}
    assert apis == {f"api-1@{first['api'][0][:12]}"}

    with traffic.Traffic({"many": shop.of.url}, 2) as load:
        shop.live(**{"api/index__cgi": API.replace("api-1", "api-2")})
        second = replicas(shop)
        assert {name for name in first if first[name] != second[name]} == {"api"}
        assert answers(shop)[1] == {f"api-2@{second['api'][0][:12]}"}
        shop.live(**{"web/more": "x"})
        third = replicas(shop)
        assert answers(shop)[0] == {one[:12] for one in third["web"]}
        load.stop()
    assert load.failures() == {}

    host.engine.api.remove_container(third["api"][0], force=True)
    host.until(lambda: answers(shop)[1] == {f"api-2@{third['api'][1][:12]}"}, "the other api")
    host.until(lambda: len(replicas(shop).get("api", ())) == 2, "two of api", 30)
    rows = {row["name"]: row["containers"] for row in shop.of.shown()["services"]}
    assert [one["replica"] for one in rows["web"]] == [1, 2, 3]


# What it brings differs with every fresh build, as if the base image had changed.
FRESH = """\
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
%sCOPY . /app/
CMD ["/bin/sh", "/app/serve.sh"]
"""
OTHERWISE = 'ARG BUILD_HOOK_FRESH\nRUN echo "$BUILD_HOOK_FRESH" > /fresh\n'


def test_fresh_and_scheduled_rebuilds_reach_every_service(host):
    file = """\
services:
  web: {build: web}
  api: {build: api}
"""
    plain = {"compose.yaml": file, "web/index.cgi": '#!/bin/sh\nsaid="web-1"' + composed.SAY}
    more: dict[str, str] = {**plain, "web/Dockerfile": FRESH % "", "api/Dockerfile": FRESH % ""}
    shop = composed.Shop(host, "fresh", None, 0.5, **more)
    for service in ("web", "api"):
        shutil.copy(baseimage.busybox(), shop.of.copy.folder / service / "busybox")
    host.replace(host.entry("fresh").model_copy(update={"rebuild": "04:30"}))
    live = shop.live()

    same = rebuilt(host, shop, live)
    assert same.phase is builds.Phase.SKIPPED, same.reason
    assert same.reason == f"nothing has changed below or in build {live.id}"

    live = shop.live(**{"api/Dockerfile": FRESH % OTHERWISE})
    first = shop.containers()
    other = rebuilt(host, shop, live)
    assert other.phase is builds.Phase.LIVE, other.reason
    second = shop.containers()
    assert {name for name in first if first[name] != second[name]} == {"api"}

    host.run("deploy", "fresh", "--fresh", "--wait")
    third = shop.containers()
    assert {name for name in first if second[name] != third[name]} == {"api"}


def rebuilt(host, shop, before):
    """Make a rebuild due, and wait for its end."""
    with host.store.session.transaction() as connection:
        connection.execute(
            "UPDATE builds SET created = created - 90000 WHERE project = ?", (shop.name,)
        )

    def look():
        found = (b for b in shop.of.history() if b.cause is builds.Cause.REBUILD)
        return next((b for b in found if b.id > before.id and b.phase.is_end), None)

    return host.until(look, "the end of a rebuild", 120)
