"""Versions that pass their gate and then go wrong: each goes back by itself, and says why."""

import contextlib
import time

import pytest

from build_hook.demo import traffic
from build_hook.store import builds

PHASE = builds.Phase
DIES = "#!/bin/sh\nhttpd -f -p 8000 -h /www &\nsleep 5\necho out of luck\nexit 7\n"
# One process for each connection; what it answers depends on how long the container has run.
SERVE = "#!/bin/sh\ndate +%s > /started\nexec nc -llllllll -p 8000 -e /bin/sh /answer.sh\n"
ANSWER = r"""#!/bin/sh
read -r version < /www/index.html
read -r started < /started
age=$(( $(date +%%s) - started ))
read -r method path rest
while read -r line && [ "$line" != "$(printf '\r')" ]; do :; done
status='200 OK'
%s
printf 'HTTP/1.1 %%s\r\nContent-Length: %%d\r\nConnection: close\r\n\r\n%%s' \
    "$status" "${#version}" "$version"
"""
DOCKERFILE = (
    "ARG BASE\nFROM ${BASE}\nCOPY serve.sh answer.sh /\nCOPY version.txt /www/index.html\n"
    'CMD ["/bin/sh", "/serve.sh"]\n'
)
BROKEN = "status='500 Internal Server Error'"
HALF = f"case $path in *[13579]) {BROKEN} ;; esac"  # the load numbers its requests
LEAKS = f"[ $age -lt 3 ] || {HALF}"
FLAPS = f"case $path in /health) [ $(( age % 2 )) = 0 ] || {BROKEN} ;; esac"
STEADY = "true"


def app(trouble):
    return {"serve__sh": SERVE, "answer__sh": ANSWER % trouble, "Dockerfile": DOCKERFILE}


@contextlib.contextmanager
def load_on(web):
    with traffic.Traffic({"web": web.url}) as load:
        assert load.wait_for("web", web.version, 10)
        yield load


def check_went_back(web, build, serving, version):
    assert build.phase is PHASE.ROLLED_BACK, build.reason
    assert (build.reason or "").endswith(f"Build {serving.build} serves again")
    assert web.serving() == serving
    assert web.get() == version
    assert [c.build for c in web.boxes()] == [serving.build]
    card = web.host.run("show", str(build.id))["card"]
    assert card["reason"] == build.reason
    assert card["difference"]["build"] == serving.build
    return card


def check_in_time(web, build):
    """It went back while it was watched: not after the window, and not before the switch."""
    entered = dict(web.host.store.phases(build.id))
    window = web.host.entry(web.name).watch
    assert entered[PHASE.SWITCHING] < entered[PHASE.ROLLED_BACK]
    assert entered[PHASE.ROLLED_BACK] - entered[PHASE.SWITCHING] < window


def test_version_that_dies_after_five_seconds_goes_back(host):
    web = host.add("dies-late")
    web.live()
    web.watched(12)
    serving, version = web.serving(), web.version

    with load_on(web) as load:
        build = web.deploy(serve__sh=DIES)
        time.sleep(1)
        load.stop()

    card = check_went_back(web, build, serving, version)
    check_in_time(web, build)
    assert card["exit_code"] == 7
    assert "out of luck" in card["container"]
    assert card["difference"]["files"] == ["serve.sh", "version.txt"]
    assert load.window().failed <= 2, load.failures()  # what it had in hand when it died


def test_version_that_leaks_into_500s_goes_back_and_that_costs_nothing(host):
    web = host.add("leaks", tolerance={"errors": 5})
    web.live(**app(STEADY))
    web.watched(15)
    serving, version = web.serving(), web.version

    with load_on(web) as load:
        build = web.deploy(**app(LEAKS))
        back = time.monotonic()
        time.sleep(2)
        load.stop()

    card = check_went_back(web, build, serving, version)
    check_in_time(web, build)
    assert "answers were failures (5xx)" in card["reason"]
    assert card["phase"] == "watching"
    assert card["difference"]["files"] == ["answer.sh", "version.txt"]
    assert load.failures().keys() == {"web: status 500"}  # its own answers and nothing else
    assert load.window(begin=back + 0.2).failed == 0


def test_version_whose_health_flaps_goes_back(host):
    web = host.add("flaps", health={"path": "/health", "successes": 1})
    web.live(**app(STEADY))
    web.watched(15)
    serving, version = web.serving(), web.version

    with load_on(web) as load:
        build = web.deploy(**app(FLAPS))
        time.sleep(1)
        load.stop()

    card = check_went_back(web, build, serving, version)
    check_in_time(web, build)
    assert "It failed 3 probes while it was watched: GET /health answers 500" in card["reason"]
    assert card["phase"] in ("draining", "watching")
    assert load.failures() == {}


@pytest.mark.parametrize("strategy", ["recreate"])
def test_version_that_dies_goes_back_where_only_one_may_run(host, strategy):
    web = host.add("dies-alone", strategy=strategy)
    web.live()
    web.watched(12)
    serving, version = web.serving(), web.version

    build = web.deploy(serve__sh=DIES)

    assert build.phase is PHASE.ROLLED_BACK
    assert web.serving().build == serving.build
    assert web.get() == version
    assert host.run("show", str(build.id))["card"]["exit_code"] == 7


def test_version_that_is_as_bad_as_the_one_before_stays(host):
    """What fails all the same, a database that is down, is no reason to go back."""
    web = host.add("as-bad", tolerance={"errors": 5, "share": 0.3})
    web.live(**app(HALF))
    web.watched(4)

    with traffic.Traffic({"web": web.url}) as load:
        assert load.wait_for("web", web.version, 10)
        time.sleep(2)
        build = web.deploy(**app(HALF))
        load.stop()

    assert build.phase is PHASE.LIVE, build.reason


# Takes more than it may: tail keeps a line without an end in memory.
EATS = "busybox tail /dev/zero"
MEMORY = {"resources": {"limits": {"memory": "32m"}}}


def test_version_that_is_killed_for_its_memory_says_so_at_the_gate(host):
    web = host.add("eats", deploy=MEMORY)
    web.live()
    serving, version = web.serving(), web.version

    build = web.deploy(serve__sh=f"#!/bin/sh\nexec {EATS}\n")

    assert build.phase is PHASE.FAILED
    assert "The container ran out of memory and was killed. Raise deploy.resources" in (
        build.reason or ""
    )
    card = host.run("show", str(build.id))["card"]
    assert (card["phase"], card["out_of_memory"], card["exit_code"]) == ("gating", True, 137)
    assert web.serving() == serving
    assert web.get() == version


def test_version_that_is_killed_for_its_memory_later_goes_back_and_says_so(host):
    web = host.add("eats-late", watch=12, deploy=MEMORY)
    web.live()
    serving, version = web.serving(), web.version
    eats = f"#!/bin/sh\nhttpd -f -p 8000 -h /www &\nsleep 3\nexec {EATS}\n"

    with load_on(web) as load:
        build = web.deploy(serve__sh=eats)
        load.stop()

    card = check_went_back(web, build, serving, version)
    assert "ran out of memory and was killed" in card["reason"]
    assert card["out_of_memory"] is True
    check_in_time(web, build)
