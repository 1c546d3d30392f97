"""Pauses, freeze windows, scheduled rebuilds and roll-backs, on a host that serves."""

import json
import shutil
import time

from build_hook.demo import baseimage, delivery
from build_hook.deploy import build_command
from build_hook.store import builds

PHASE, CAUSE = builds.Phase, builds.Cause
FROM_NOTHING = """FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
%sCOPY serve.sh /serve.sh
COPY version.txt /www/index.html
CMD ["/bin/sh", "/serve.sh"]
"""
OTHERWISE = f'ARG {build_command.FRESH}\nRUN echo "${build_command.FRESH}" > /fresh\n'
ALWAYS = ["00:00 - 23:59", "12:00 - 11:59"]


def test_pushes_wait_while_paused_and_only_the_newest_is_built(host):
    web = host.add("paused")
    web.live()
    version = web.version
    host.run("pause", web.name, "--reason", "stocktaking")
    answers = []

    def fire(moved):
        raw = delivery.body(moved, host.forge.address)
        url = f"{host.product.url}/hooks/{web.name}"
        answers.append(delivery.send(url, raw, host.webhook.secrets[web.name]))

    host.fire = fire
    try:
        first, second = web.push(), web.push()
    finally:
        del host.fire
    status, answer = answers[-1]
    assert status == 202
    assert "paused is paused since" in json.loads(answer)["note"]
    assert "stocktaking" in json.loads(answer)["note"]
    time.sleep(1.5)
    assert web.get() == version
    assert "stocktaking" in web.shown()["held"]
    assert web.build_of(second).phase is PHASE.QUEUED
    assert "stocktaking" in web.build_of(second).reason

    host.run("resume", web.name)

    assert web.ended(second).phase is PHASE.LIVE
    assert web.build_of(first).phase is PHASE.SUPERSEDED
    assert web.get() == web.version
    assert web.shown()["held"] is None


def test_frozen_project_is_deployed_by_force_alone(host):
    web = host.add("frozen")
    web.live()
    host.register(web, freeze=ALWAYS)
    commit = web.push()
    host.until(lambda: web.shown()["held"], "the freeze")

    refused = host.run("deploy", web.name, code=1)["error"]
    assert "frozen is frozen until" in refused
    assert "--force" in refused
    assert web.build_of(commit).phase is PHASE.QUEUED

    host.run("deploy", web.name, "--force", "--wait")
    assert web.get() == web.version
    host.register(web, freeze=[])


def test_pause_does_not_cut_a_watch_short(host):
    web = host.add("watched-on", watch=12)
    commit = web.push()
    web.until(PHASE.WATCHING, commit)
    host.run("pause", web.name)
    web.push()

    time.sleep(1)
    assert web.build_of(commit).phase is PHASE.WATCHING
    host.run("resume", web.name)
    assert web.ended(commit).phase is PHASE.LIVE


def rebuilt(host, web, before):
    """Make a rebuild due, and wait for its end."""
    with host.store.session.transaction() as connection:
        connection.execute(
            "UPDATE builds SET created = created - 90000 WHERE project = ?", (web.name,)
        )

    def look():
        found = (b for b in web.history() if b.cause is CAUSE.REBUILD and b.id > before.id)
        return next((b for b in found if b.phase.is_end), None)

    return host.until(look, "the end of a rebuild", 40)


def test_scheduled_rebuild_that_changes_nothing_is_skipped_and_one_that_does_goes_live(host):
    web = host.add("rebuilt", rebuild="04:30")
    shutil.copy(baseimage.busybox(), web.copy.folder / "busybox")
    live = web.live(Dockerfile=FROM_NOTHING % "")
    fire, host.fire = host.fire, lambda moved: None
    try:
        web.push()  # came to the branch meanwhile, and is none of a rebuild's business
        same = rebuilt(host, web, live)
        assert same.phase is PHASE.SKIPPED, same.reason
        assert same.reason == f"nothing has changed below or in build {live.id}"
        assert same.fresh
        assert web.serving().build == live.id
        host.fire = fire
        # what it brings differs with every fresh build, as if the base image had changed
        live = web.live(Dockerfile=FROM_NOTHING % OTHERWISE)

        other = rebuilt(host, web, live)

        assert other.phase is PHASE.LIVE, other.reason
        assert web.serving().build == other.id
        assert other.commit == live.commit
    finally:
        host.fire = fire


def test_roll_back_needs_no_git_host_and_brings_image_environment_and_settings(host):
    web = host.add("goes-back", environment={"COLOUR": "blue"}, drain=3)
    first = web.live()
    version = web.version
    host.register(web, environment={"COLOUR": "red"}, drain=2)
    web.settle()
    web.live()
    forge = host.entry(web.name).repository
    host.register(web, repository="http://127.0.0.1:9/gone.git", environment={"COLOUR": "red"})
    begun = time.time()

    host.run("rollback", web.name, "--to", str(first.id), "--wait")

    assert web.get() == version
    back = host.store.get(web.serving().build)
    assert (back.image, back.commit, back.source) == (first.image, first.commit, first.id)
    box = host.engine.api.inspect_container(web.serving().id)
    assert box["Image"] == first.image
    assert "COLOUR=blue" in box["Config"]["Env"]
    assert host.run("show", str(back.id))["settings"]["drain"] == 3
    phases = [phase for phase, _ in host.store.phases(back.id)]
    assert PHASE.FETCHING not in phases
    assert PHASE.BUILDING not in phases
    assert time.time() - begun < 30
    host.register(web, repository=forge)


def test_roll_back_to_what_cannot_be_is_refused_with_what_can(host):
    web = host.add("bounds")
    live = web.live()

    none = host.run("rollback", web.name, "--to", "999999", code=1)["error"]
    other = host.add("bounds-other").live()
    strange = host.run("rollback", web.name, "--to", str(other.id), code=1)["error"]

    assert "There is no build 999999" in none
    assert f"Build {other.id} has no image of bounds" in strange
    assert f"These have one: {live.id}" in strange
