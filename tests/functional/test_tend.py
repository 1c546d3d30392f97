"""What serves stays served, whoever takes its container away."""

import time

from build_hook.demo import traffic
from build_hook.store import builds

PHASE = builds.Phase


def test_container_removed_by_hand_is_remade_from_its_record(host):
    web = host.add("removed", environment={"COLOUR": "blue"})
    live = web.live()
    before = web.serving()
    host.run("pause", web.name)
    pushed = web.push()  # must not come with it, though it waits
    web.until(PHASE.QUEUED, pushed)
    begun = time.monotonic()
    host.engine.api.remove_container(before.id, force=True)

    host.until(web.answers, "an answer", 15)
    took = time.monotonic() - begun

    host.until(lambda: not host.store.running(), "its record")  # which comes after its traffic
    again = web.serving()
    assert took < 10
    assert again.id != before.id
    assert again.commit == live.commit
    environment = host.engine.api.inspect_container(again.id)["Config"]["Env"]
    assert "COLOUR=blue" in environment
    host.until(lambda: web.build_of(pushed).phase is PHASE.QUEUED, "the push waiting again", 60)
    host.run("resume", web.name)
    host.until(lambda: web.get() == web.version, "the push live", 60)


def test_container_removed_under_a_build_is_remade_when_that_fails(host):
    web = host.add("removed-then-fails")
    web.live()
    version = web.version
    commit = web.push(serve__sh="#!/bin/sh\nsleep 3\nexit 1\n")
    web.until(PHASE.GATING, commit)

    host.engine.api.remove_container(web.serving().id, force=True)

    assert web.ended(commit).phase is PHASE.FAILED
    host.until(web.answers, "an answer", 15)
    assert web.get() == version


def test_removing_the_previous_container_changes_nothing(host):
    web = host.add("removed-previous")
    web.live()
    web.live()
    serving, count = web.serving(), len(web.history())
    (previous,) = [c for c in web.boxes() if c.id != serving.id]

    with traffic.Traffic({"web": web.url}) as load:
        host.engine.api.remove_container(previous.id, force=True)
        time.sleep(1)
        load.stop()

    assert load.failures() == {}
    assert web.serving() == serving
    assert len(web.history()) == count
