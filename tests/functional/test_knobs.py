"""Every knob that the worker reads changes what it does."""

import http.client
import itertools
import re
import uuid

import pytest

from build_hook.store import builds
from tests.functional import host as hosts

PHASE = builds.Phase
STAGES = """ARG BASE
FROM ${BASE} AS chosen
ARG GREETING
COPY files/serve.sh /serve.sh
COPY files/index.html /www/index.html
RUN echo "$GREETING" > /www/greeting
CMD ["/bin/sh", "/serve.sh"]
FROM chosen
RUN echo "the last stage" > /www/greeting
"""
TWO_PORTS = (
    "#!/bin/sh\nhttpd -f -p 8000 -h /www &\nhttpd -f -p 9000 -h /bin &\n"
    "trap 'kill $!; exit 0' TERM\nwait\n"
)
IGNORES_TERM = "#!/bin/sh\ntrap '' TERM\nhttpd -f -p 8000 -h /www &\nwait\nsleep 1000\n"
ELSEWHERE = "127.0.0.2"


@pytest.fixture(scope="module")
def tuned(base):
    knobs = {
        "concurrency": 1,
        "keep_images": 2,
        "keep_builds": 3,
        "build_log_mb": 0.004,
        "reconcile_interval": 1,
        "publish_address": ELSEWHERE,
        "min_free_mb": 10,
    }
    with hosts.serving(base, **knobs) as host:
        yield host


def length(host, build, wanted):
    """How long a build was in a phase."""
    for (phase, begun), (_, ended) in itertools.pairwise(host.store.phases(build.id)):
        if phase is wanted:
            return ended - begun
    raise AssertionError(f"build {build.id} was never {wanted}")


def test_publish_address_is_the_only_one(tuned):
    web = tuned.add("address", files={"index.html": "hello"})
    web.live()

    connection = http.client.HTTPConnection(ELSEWHERE, web.port, timeout=5)
    connection.request("GET", "/")
    assert connection.getresponse().status == 200
    connection.close()
    with pytest.raises(ConnectionRefusedError):
        web.get()


def test_concurrency_bounds_deploys_side_by_side(tuned, host):
    slow = {"health": {"min_uptime": 1.5}}

    first, second = tuned.add("one", **slow), tuned.add("two", **slow)
    first.until(PHASE.GATING, first.push())
    commit = second.push()
    second.until(PHASE.QUEUED, commit)
    while first.history()[0].phase is PHASE.GATING:
        assert second.build_of(commit).phase is PHASE.QUEUED
    assert second.ended(commit).phase is PHASE.LIVE

    third, fourth = host.add("three", **slow), host.add("four", **slow)
    third.until(PHASE.GATING, third.push())
    fourth.until(PHASE.FETCHING, fourth.push())
    assert third.history()[0].phase is PHASE.GATING


def test_keep_images_and_keep_builds(tuned):
    web = tuned.add("keep")
    made = [web.live() for _ in range(5)]

    def kept():
        found = [image.build for image in tuned.images.all(web.name)]
        return found == [build.id for build in made[-2:]]

    def known():
        return [build.id for build in web.history()] == [build.id for build in made[:1:-1]]

    tuned.until(kept, "old images to go")
    tuned.until(known, "old records to go")
    logs = [(tuned.settings.logs / f"{build.id}.log").exists() for build in made]
    assert logs == [False, False, True, True, True]


def test_build_log_is_bounded(tuned):
    unlike_any_cached = f"RUN echo {uuid.uuid4()}\n"
    noise = 'RUN i=0; while [ $i -lt 500 ]; do echo "line $i"; i=$((i+1)); done\n'
    web = tuned.add("noisy")
    dockerfile = web.read("Dockerfile")
    assert dockerfile
    build = web.live(Dockerfile=dockerfile + unlike_any_cached + noise)

    size = (tuned.settings.logs / f"{build.id}.log").stat().st_size
    assert 4000 < size < 4400
    assert web.log(build).endswith("[the log is longer than its limit, the rest is not kept]")


def test_lost_delivery_is_found_after_reconcile_interval(tuned, host):
    web, other = tuned.add("lost"), host.add("waits")
    web.live()
    other.live()
    for each in (web, other):
        each.host.fire = lambda moved: None

    waits, found = other.push(), web.push()

    assert web.ended(found, 15).cause is builds.Cause.RECONCILE
    assert other.build_of(waits) is None  # its host looks once an hour
    for each in (web, other):
        del each.host.fire


def test_min_free_mb_is_asked_for_before_a_build(base):
    with hosts.serving(base, min_free_mb=10) as host:
        web = host.add("space")
        web.live()
        serving, answer = web.serving(), web.get()
        file = host.settings.state / "settings.toml"
        file.write_text("min_free_mb = 1_000_000_000\n", encoding="utf-8")
        host.restart("worker")

        build = web.deploy()

        assert build.phase is PHASE.FAILED
        assert build.retry
        assert build.reason
        assert re.match(
            r"building: Only \d+ MiB are free in .*, a build needs 1000000000\. Make room",
            build.reason,
        )
        assert (web.serving(), web.get()) == (serving, answer)

        file.write_text("min_free_mb = 10\nreconcile_interval = 1\n", encoding="utf-8")
        host.restart("worker")
        host.until(lambda: web.answers() and web.get() == web.version, "another try")


def test_build_context_dockerfile_arguments_and_target(host):
    web = host.add(
        "stages",
        build={
            "context": "below",
            "dockerfile": "docker/Build",
            "target": "chosen",
            "args": {"GREETING": "hello from the registry"},
        },
    )
    below = web.copy.folder / "below"
    (below / "docker").mkdir(parents=True)
    (below / "files").mkdir()
    (below / "docker/Build").write_text(STAGES, encoding="utf-8")
    (below / "files/serve.sh").write_text(web.read("serve.sh") or "", encoding="utf-8")
    (below / "files/index.html").write_text("from below\n", encoding="utf-8")
    web.live(Dockerfile="FROM nothing-that-is-there\n")

    assert web.get() == "from below"
    assert web.get("/greeting") == "hello from the registry"


def test_health_port_is_asked_in_place_of_the_first_target(host):
    web = host.add(
        "two-ports", files={"serve.sh": TWO_PORTS}, health={"path": "/busybox", "port": 9000}
    )
    assert web.live()

    host.register(web, health={"port": 8000, "timeout": 1})
    assert "GET /busybox answers 404" in (web.deploy().reason or "")


def test_min_uptime_is_waited_for(host):
    web = host.add("young", health={"min_uptime": 2})

    assert length(host, web.live(), PHASE.GATING) > 1.5


def test_watch_and_grace_take_their_time(host):
    web = host.add("graceful", files={"serve.sh": IGNORES_TERM}, watch=1.5, stop_grace_period=2)
    web.live()

    build = web.live()

    # the old container is stopped after the watch, and does not heed the signal
    assert 3.4 < length(host, build, PHASE.WATCHING) < 7
