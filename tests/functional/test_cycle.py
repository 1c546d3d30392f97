import contextlib
import socket
import time

import pytest

from build_hook.demo import traffic
from build_hook.store import builds

PHASE = builds.Phase
IGNORES_TERM = "#!/bin/sh\ntrap '' TERM\nhttpd -f -p 8000 -h /www &\nwait\nsleep 1000\n"
DIES = "#!/bin/sh\nhttpd -f -p 8000 -h /www &\nsleep 2\nexit 7\n"
OTHER_PORT = "#!/bin/sh\nhttpd -f -p 9000 -h /www &\ntrap 'kill $!; exit 0' TERM\nwait\n"
# Answers an upgrade to WebSocket, then echoes lines with the version before them.
UPGRADE = r"""#!/bin/sh
read -r version < /www/index.html
while read -r line && [ "$line" != "$(printf '\r')" ]; do :; done
printf 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
printf 'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n'
while read -r line; do echo "$version $line"; done
"""
SOCKETS = (
    "#!/bin/sh\nnc -llllllll -p 8000 -e /bin/sh /upgrade.sh &\ntrap 'kill $!; exit 0' TERM\nwait\n"
)
SOCKETS_FILE = (
    "ARG BASE\nFROM ${BASE}\nCOPY serve.sh upgrade.sh /\nCOPY version.txt /www/index.html\n"
    'CMD ["/bin/sh", "/serve.sh"]\n'
)


@contextlib.contextmanager
def unnoticed(clients=3, **projects):
    """Load on these projects, none of which may fail."""
    with traffic.Traffic({name: of.url for name, of in projects.items()}, clients) as load:
        for name, of in projects.items():
            assert load.wait_for(name, of.version, 10), f"{name} does not answer"
        yield load
        for name, of in projects.items():
            assert load.wait_for(name, of.version, 10), f"the last version of {name}"
        load.check()
        load.stop()
    assert load.failures() == {}


def test_ten_switches_under_load_lose_nothing(host):
    web = host.add("many-web", watch=0, drain=1)
    echo = host.add("many-echo", "tcp", watch=0)
    web.live()
    echo.live()

    with unnoticed(5, web=web, echo=echo) as load:
        begun = time.monotonic()
        for _ in range(5):
            pushed = web.push(), echo.push()
            assert web.ended(pushed[0]).phase is echo.ended(pushed[1]).phase is PHASE.LIVE
        took = time.monotonic() - begun

    assert load.window().requests > 150 * took
    assert len(web.boxes()) == len(echo.boxes()) == 2


def test_projects_and_ports_come_and_go_unnoticed(host):
    web, echo = host.add("stays-web"), host.add("stays-echo", "tcp")
    web.live()
    echo.live()

    with unnoticed(web=web, echo=echo):
        for number in range(3):
            other = host.add(f"comes-{number}", watch=0)
            other.live()
            assert other.get() == other.version
            host.unregister(other.name)
            host.until(
                lambda of=other: not (of.boxes() or of.answers() or host.images.all(of.name)),
                "its end",
            )
            assert other.name not in host.store.serving()


def test_target_port_changes_with_a_version_unnoticed(host):
    web = host.add("moves")
    web.live()

    with unnoticed(web=web):
        host.fire = lambda moved: None
        commit = web.push(serve__sh=OTHER_PORT)
        del host.fire
        host.register(web, ports=[{"target": 9000, "published": web.port}])
        host.run("deploy", web.name, "--wait")

    build = web.build_of(commit)
    assert build
    assert build.phase is PHASE.LIVE
    assert web.get() == web.version


def test_application_that_ignores_sigterm_loses_nothing(host):
    web = host.add("stubborn", files={"serve.sh": IGNORES_TERM})
    web.live()

    with unnoticed(web=web):
        for _ in range(2):
            web.live()

    assert sorted(c.exit_code for c in web.boxes()) == [0, 137]


@pytest.mark.parametrize("protocol", ["http", "tcp"])
def test_long_connection_lives_until_the_drain_ends(host, protocol):
    files = {"serve.sh": SOCKETS, "upgrade.sh": UPGRADE, "Dockerfile": SOCKETS_FILE}
    made = host.add(
        f"long-{protocol}", protocol, drain=2.5, watch=0,
        files=files if protocol == "http" else {},
        health={"path": None},
    )  # fmt: skip
    made.live()
    old = made.version

    with socket.create_connection(("127.0.0.1", made.port), 10) as connection:
        lines = connection.makefile("rw", newline="\n")
        if protocol == "http":
            lines.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
                        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")  # fmt: skip
            lines.flush()
            assert "101 Switching Protocols" in lines.readline()
            while lines.readline().strip():
                pass
        commit = made.push()
        drained = made.until(PHASE.DRAINING, commit)
        begun, lasted = time.monotonic(), 0.0
        while made.build_of(commit).phase is PHASE.DRAINING:
            lines.write("hello\n")
            lines.flush()
            answer = lines.readline()
            lasted = time.monotonic() - begun
            assert answer in (f"{old} hello\n", ""), answer
            assert answer or lasted > 2, f"cut after {lasted:.1f} s"
            time.sleep(0.1)
        assert lasted > 2
        assert made.ended(commit).phase is PHASE.LIVE
        with contextlib.suppress(OSError):
            lines.write("still there?\n")
            lines.flush()
            assert lines.readline() == ""
    assert "sessions were still open after 2.5 s" in made.log(drained)


def test_version_that_dies_after_it_took_over_is_rolled_back(host):
    web = host.add("dies")
    web.live()
    web.watched(6)
    serving, version = web.serving(), web.version

    with traffic.Traffic({"web": web.url}) as load:
        build = web.deploy(serve__sh=DIES)
        back = time.monotonic()
        assert load.wait_for("web", version, 5)
        load.stop()

    assert build.phase is PHASE.ROLLED_BACK
    assert build.reason is not None
    assert build.reason.startswith("The container died with exit status 7")
    assert build.reason.endswith(f"Build {serving.build} serves again")
    assert web.serving() == serving
    assert web.get() == version
    assert [c.id for c in web.boxes()] == [serving.id]
    assert load.window(back).failed == 0
    web.watched(0.3)
    assert web.live(serve__sh=(host.apps / "web/serve.sh").read_text())


def test_first_version_that_dies_has_failed(host):
    web = host.add("dies-first", files={"serve.sh": DIES}, watch=6)

    build = web.deploy()

    assert build.phase is PHASE.FAILED
    assert build.reason is not None
    assert build.reason.startswith("watching: The container died with exit status 7")
    assert "no earlier version to go back to" in build.reason
    web.watched(0.3)
    assert web.live(serve__sh=(host.apps / "web/serve.sh").read_text())


def test_rollback_takes_the_image_and_builds_nothing(host):
    web = host.add("back")
    first = web.live()
    version = web.version
    web.live()

    with traffic.Traffic({"web": web.url}) as load:
        shown = host.run("rollback", web.name, "--wait")
        assert load.wait_for("web", version, 5)
        load.stop()

    assert load.failures() == {}
    assert shown["phase"] == "live"
    assert shown["image"] == first.image
    assert PHASE.BUILDING not in [phase for phase, _ in host.store.phases(shown["id"])]
    assert web.get() == version


def test_rollback_takes_the_settings_of_its_build(host):
    web = host.add("back-to", environment={"A": "1"})
    first = web.live()
    host.register(web, environment={"A": "2"})
    web.settle()

    shown = host.run("rollback", web.name, "--to", str(first.id), "--wait")

    assert shown["phase"] == "live"
    environment = host.engine.api.inspect_container(web.serving().id)["Config"]["Env"]
    assert "A=1" in environment


@pytest.mark.parametrize(
    "phase", [PHASE.QUEUED, PHASE.FETCHING, PHASE.BUILDING, PHASE.STARTING, PHASE.GATING]
)
def test_cancelled_before_the_switch_leaves_nothing(host, phase):
    web = host.add(f"cancel-{phase}")
    web.live()
    serving = web.serving()
    longest = 3 if phase is PHASE.QUEUED else 10  # what goes on behind it is waited for
    host.register(web, health={"min_uptime": longest})
    if phase is PHASE.QUEUED:
        web.until(PHASE.GATING, web.push())
    build = web.until(phase, web.push())

    host.run("cancel", str(build.id))

    host.until(lambda: host.store.get(build.id).phase.is_end, "its end")
    assert host.store.get(build.id).phase is PHASE.CANCELLED
    host.until(lambda: not host.store.running(), "the end of what runs")
    if phase is not PHASE.QUEUED:
        assert web.serving() == serving
        assert [c.id for c in web.boxes()] == [serving.id]


def test_first_build_that_serves_is_not_cancelled(host):
    web = host.add("too-late", watch=10)
    build = web.until(PHASE.WATCHING, web.push())

    error = host.run("cancel", str(build.id), code=1)["error"]

    assert f"Build {build.id} serves already, and nothing served before it" in error


@pytest.mark.parametrize("strategy", ["rolling", "recreate"])
def test_build_that_is_watched_gives_the_traffic_back_when_cancelled(host, strategy):
    web = host.add(f"taken-back-{strategy}", strategy=strategy)
    live = web.live()
    version, commit = web.version, live.commit
    web.watched(60)

    with traffic.Traffic({"web": web.url}) as load:
        assert load.wait_for("web", version, 10)
        build = web.until(PHASE.WATCHING, web.push())
        assert load.wait_for("web", web.version, 10)
        host.run("cancel", str(build.id))
        host.until(lambda: host.store.get(build.id).phase.is_end, "its end", 30)
        assert load.wait_for("web", version, 10)
        load.stop()
    assert load.failures() == {}

    ended = host.store.get(build.id)
    assert (ended.phase, ended.retry) == (PHASE.CANCELLED, False)
    assert ended.reason == f"Cancelled while it was watched. Build {live.id} serves again"
    assert host.store.get(host.store.serving()[web.name].build).commit == commit
    assert [(box.build, box.is_running) for box in web.boxes()] == [(live.id, True)]


def test_candidate_that_an_engine_left_behind_goes_with_the_next_build(host):
    """Its build gave way to a newer push while there was no engine to remove it."""
    web = host.add("left-behind")
    live = web.live()
    gave_way = web.deploy(Dockerfile="FROM scratch\nCOPY nothing /\n")
    host.containers.start(host.entry(web.name), gave_way.id, "c" * 40, live.image)

    assert web.deploy().phase is PHASE.FAILED

    assert [(box.build, box.is_running) for box in web.boxes()] == [(live.id, True)]


def test_newer_push_supersedes_the_queued_one_and_ends_the_watch(host):
    web = host.add("quick", watch=30)
    first = web.push()
    web.until(PHASE.WATCHING, first)
    begun = time.monotonic()
    host.register(web, watch=0.2)

    third = (web.push(), web.push())[1]

    web.ended(first)
    web.ended(third)
    assert time.monotonic() - begun < 15
    # the second is overtaken while it waits, or brings the third one's commit
    assert [build.phase for build in reversed(web.history())] in (
        [PHASE.LIVE, PHASE.SUPERSEDED, PHASE.LIVE],
        [PHASE.LIVE, PHASE.LIVE, PHASE.SKIPPED],
        [PHASE.LIVE, PHASE.LIVE, PHASE.LIVE],  # a push took longer than a deploy
    )
    assert web.serving().commit == third
    assert web.get() == web.version


def test_queued_build_is_superseded_by_a_newer_push(host):
    web = host.add("burst", health={"min_uptime": 2})
    web.until(PHASE.GATING, web.push())

    second, third = web.push(), web.push()

    newest = web.ended(third)
    overtaken = web.build_of(second)
    assert newest.phase is PHASE.LIVE
    assert (overtaken.phase, overtaken.reason) == (PHASE.SUPERSEDED, f"by build {newest.id}")
