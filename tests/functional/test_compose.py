"""Projects of several containers: only what changed is replaced, all of it or nothing."""

from build_hook.demo import traffic
from build_hook.store import builds
from tests.functional import composed


def test_only_the_changed_service_is_replaced_and_nobody_notices(host):
    shop = composed.Shop(host, "shop")
    shop.live()
    assert shop.of.get() == "web-1/api-1/starts-1"
    first = shop.containers()
    assert first.keys() == {"web", "api", "db"}

    with traffic.Traffic({"shop": shop.of.url}, 5) as load:
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

    with traffic.Traffic({"mend": shop.of.url}, 5) as load:
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

    with traffic.Traffic({"data": shop.of.url}, 5) as load:
        assert load.wait_for("data", "web-1/api-1/starts-1", 30)
        shop.live(**{"db/serve__sh": f"# another\n{composed.DB}"})
        assert load.wait_for("data", "web-1/api-1/starts-2", 30)
        load.stop()

    second = shop.containers()
    assert load.failures() == {}
    assert {name for name in first if first[name] != second[name]} == {"db"}


def test_a_version_that_dies_later_takes_all_its_services_back(host):
    shop = composed.Shop(host, "later", watch=5)
    good = shop.live()
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

    with traffic.Traffic({"kill": shop.of.url}, 5) as load:
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
