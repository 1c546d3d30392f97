"""The engine stops, starts again, and containers come back with other addresses."""

import contextlib
import time

import pytest

from build_hook import errors
from build_hook.deploy import condition
from build_hook.store import builds
from tests.functional import composed, own_engine
from tests.functional import host as hosts

PHASE = builds.Phase


@pytest.fixture(scope="module")
def engine():
    with hosts.folder() as place, own_engine.running(place) as made:
        yield made


@pytest.fixture(scope="module")
def host(engine):
    with (
        hosts.base_image(engine.host) as base,
        hosts.serving(base, docker_host=engine.host, reconcile_interval=3600, min_free_mb=1) as h,
    ):
        yield h
        engine.start()  # for those who clear up; does nothing where it runs


@pytest.fixture(scope="module")
def web(host):
    made = host.add("web")
    made.live()
    return made


def test_deploys_go_to_the_engine_of_the_setting(host, web, engine):
    assert host.settings.docker_host == engine.host
    assert web.serving().is_running


def test_stopped_engine_is_named_builds_wait_and_go_on(host, web, engine):
    first, before = web.serving(), web.version
    engine.stop()
    pushed = web.push()

    told = host.until(lambda: condition.read(host.settings.run).engine, "the problem")
    assert told == (
        f"The Docker engine does not answer at {engine.host}. Start it (systemctl start docker); "
        "what waits for it goes on by itself"
    )
    assert host.run("projects")["engine_problem"] == told
    assert web.build_of(pushed).phase is PHASE.QUEUED

    engine.start()
    assert web.ended(pushed).phase is PHASE.LIVE
    assert web.get() == web.version != before
    assert first.id != web.serving().id
    assert condition.read(host.settings.run).engine is None


def test_container_that_comes_back_elsewhere_is_followed(host, web, engine):
    others = [occupy(host, number) for number in range(2)]
    engine.stop()
    engine.start()

    assert host.until(web.answers, "an answer from the container", 30)
    assert web.get() == web.version
    for other in others:
        host.engine.api.remove_container(other, force=True)


def occupy(host, number):
    """A container on the same network that starts with the engine, maybe before ours."""
    api = host.engine.api
    network = f"build-hook-{host.settings.instance}"
    made = api.create_container(
        host.base,
        ["/bin/sleep", "1000"],
        name=f"other-{number}-{host.settings.instance}",
        stop_timeout=1,
        labels={"io.build-hook.demo": host.settings.instance},
        host_config=api.create_host_config(
            network_mode=network, restart_policy={"Name": "always"}
        ),
    )["Id"]
    api.start(made)
    return made


def test_restarted_container_with_another_address_is_followed(host, web):
    """What an engine's restart does to addresses, made to happen for certain."""
    api, before = host.engine.api, web.serving()
    others = []
    while web.serving().address == before.address:
        api.stop(before.id, timeout=0)
        others.append(occupy(host, 10 + len(others)))
        api.start(before.id)

    host.until(web.answers, "an answer")

    assert web.serving().id == before.id
    for other in others:
        api.remove_container(other, force=True)


@pytest.mark.parametrize("phase", [PHASE.BUILDING, PHASE.GATING, PHASE.WATCHING])
def test_engine_restarted_during_a_deploy_loses_nothing(host, web, engine, phase):
    host.register(web, watch=4 if phase is PHASE.WATCHING else 0.3, health={"min_uptime": 2})
    pushed = web.push()
    web.until(phase, pushed)
    engine.stop()
    time.sleep(0.5)
    engine.start()

    build = web.ended(pushed, 60)
    assert build.phase is PHASE.LIVE, (web.log(build), host.log()[-1500:])
    host.until(lambda: web.answers() and web.get() == web.version, "the new version")
    assert web.serving().build == build.id
    assert {c.build for c in web.boxes()} == {
        build.id,
        host.store.serving()[web.name].previous,
    }


def test_old_version_that_was_stopped_for_a_new_one_comes_back_with_the_engine(host, engine):
    """Not only with the build: that one may wait, or fail."""
    lock = host.add("lock", strategy="recreate", health={"min_uptime": 5})
    lock.live()
    before = lock.version
    pushed = lock.push()
    lock.until(PHASE.GATING, pushed)
    host.run("pause", lock.name)

    engine.stop()
    engine.start()

    host.until(lambda: lock.answers() and lock.get() == before, "the old version", 40)
    host.run("resume", lock.name)
    host.run("deploy", lock.name, "--wait")
    assert lock.get() == lock.version != before
    assert sum(box.is_running for box in lock.boxes()) == 1


def test_old_service_that_was_stopped_for_a_new_one_comes_back_with_the_engine(host, engine):
    slow = "    stop_grace_period: 1s\n    x-build-hook: {health: {min_uptime: 8, timeout: 30}}"
    more: dict[str, str] = {
        "compose.yaml": composed.FILE.replace("    stop_grace_period: 1s", slow),
        "web/index.cgi": f"#!/bin/sh\nsaid=web-1{composed.SAY}",
    }
    shop = composed.Shop(host, "locks", None, 0.5, **more)
    shop.live()
    before = shop.containers()
    pushed = shop.of.push(**{"db/serve__sh": f"# another\n{composed.DB}"})
    shop.of.until(PHASE.GATING, pushed)
    host.run("pause", shop.name)

    engine.stop()
    engine.start()

    host.until(lambda: runs(shop, before), "the old version", 60)
    host.run("resume", shop.name)
    assert shop.of.ended(pushed, composed.PATIENCE).phase is PHASE.LIVE
    assert shop.containers()["db"] != before["db"]


def runs(shop, wanted):
    with contextlib.suppress(errors.EngineDownError):
        return shop.of.answers() and shop.containers() == wanted
    return False
