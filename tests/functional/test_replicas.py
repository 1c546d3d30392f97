"""Several containers of one version: balanced, exchanged together, tended one by one."""

import contextlib

import pytest

from build_hook.demo import traffic
from build_hook.store import builds

PHASE = builds.Phase
# Answers /who with the container's own name as well.
SERVE = (
    "#!/bin/sh\ncat /etc/hostname > /www/who\nhttpd -f -p 8000 -h /www &\n"
    "trap 'kill $!; exit 0' TERM\nwait\n"
)
# The second one of a version finds the first one's mark on the shared volume, and dies soon.
ONE_DIES = (
    "#!/bin/sh\nhttpd -f -p 8000 -h /www &\nif [ -e /shared/first ]; then sleep 2; exit 7; fi\n"
    "touch /shared/first\nwait\n"
)


def replicated(host, name, count, **of):
    """A project with so many replicas, live."""
    made = host.add(name, files={"serve.sh": SERVE}, deploy={"replicas": count}, **of)
    made.live()
    return made


def answering(web, tries=24):
    """The containers that answer."""
    return {web.get("/who") for _ in range(tries)}


def every(web):
    return web.serving().every


@contextlib.contextmanager
def unnoticed(web, clients=3):
    with traffic.Traffic({"web": web.url}, clients) as load:
        assert load.wait_for("web", web.version, 10)
        yield load
        assert load.wait_for("web", web.version, 10)
        load.check()
        load.stop()
    assert load.failures() == {}


def test_three_replicas_share_the_traffic_and_are_exchanged_unnoticed(host):
    web = replicated(host, "three-replicas", 3)
    assert answering(web) == {one.id[:12] for one in every(web)}
    assert [one.replica for one in every(web)] == [1, 2, 3]

    with unnoticed(web) as load:
        for _ in range(3):
            web.live()
            assert answering(web) == {one.id[:12] for one in every(web)}
    assert load.window().requests > 100

    versions = web.boxes()
    assert [[one.is_running for one in box.every] for box in versions] == [
        [False] * 3 if box.id != web.serving().id else [True] * 3 for box in versions
    ]
    assert len(versions) == 2


def test_the_number_follows_the_registry_without_a_build(host):
    web = replicated(host, "scaled", 1)
    before = len(web.history())

    with unnoticed(web):
        for count in (3, 2, 1, 2):
            host.register(web, deploy={"replicas": count})
            host.until(lambda count=count: len(every(web)) == count, f"{count} replicas")
            host.until(lambda count=count: len(answering(web)) == count, "their answers")

    assert len(web.history()) == before


def test_a_replica_that_dies_is_passed_over_and_comes_back(host):
    web = replicated(host, "mortal", 3)
    first = every(web)[0]

    with unnoticed(web):
        host.engine.api.kill(first.id)
        host.until(lambda: not host.containers.inspect(first.id).is_running, "its end")
        host.engine.api.restart(first.id, timeout=0)
        host.until(lambda: len(answering(web)) == 3, "all three")


def test_a_replica_that_somebody_removed_is_replaced(host):
    web = replicated(host, "lost", 2)
    gone = every(web)[1]

    with unnoticed(web):
        host.engine.api.remove_container(gone.id, force=True)
        host.until(lambda: len(every(web)) == 2, "another one", 20)
        host.until(lambda: len(answering(web)) == 2, "its answer")

    assert gone.id not in {one.id for one in every(web)}


def test_one_replica_that_dies_in_the_watch_takes_all_of_them_back(host):
    web = replicated(host, "together", 2, watch=6)
    before, version = every(web), web.version

    volumes = ["together-shared:/shared"]
    host.fire = lambda moved: None
    commit = web.push(serve__sh=ONE_DIES)
    del host.fire
    try:
        host.register(web, volumes=volumes)
        build = web.ended(commit)
        assert build.phase is PHASE.ROLLED_BACK, build.reason
        assert build.reason is not None
        assert build.reason.startswith("Replica 2 died with exit status 7")
        assert [one.id for one in every(web)] == [one.id for one in before]
        assert all(one.is_running for one in every(web))
        assert web.get() == version
        assert len(web.boxes()) == 1
    finally:
        host.unregister(web.name)
        host.until(lambda: not web.boxes(), "its end")
        host.engine.api.remove_volume("together-shared")


@pytest.mark.parametrize("process", ["worker", "proxy"])
def test_replicas_outlast_a_crash(host, process):
    web = replicated(host, f"crash-{process}", 3)
    before = [one.id for one in every(web)]

    host.restart(process)

    host.until(web.answers, "an answer")
    host.until(lambda: len(answering(web)) == 3, "all three")
    assert [one.id for one in every(web)] == before
    web.live()
    assert len(answering(web)) == 3


def test_a_project_that_leaves_takes_all_its_replicas(host):
    web = replicated(host, "leaves", 3)

    host.unregister(web.name)

    host.until(lambda: not host.containers.counts()[web.name, 0] and not web.boxes(), "the end")
    left = host.engine.api.containers(all=True, filters=host.engine.ours(web.name))
    assert left == []


def test_what_is_recreated_runs_once(host):
    with pytest.raises(ValueError, match=r"runs one container: deploy\.replicas must be 1"):
        host.add("once", strategy="recreate", deploy={"replicas": 2})
