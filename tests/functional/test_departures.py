"""Projects that leave the registry take everything of theirs with them, at any moment."""

import contextlib
import http.client

import pytest

from build_hook.demo import delivery
from build_hook.store import builds
from tests.functional import host as hosts

PHASE = builds.Phase


@pytest.fixture(scope="module")
def own(base):
    with hosts.serving(base, reconcile_interval=3600, min_free_mb=10) as host:
        yield host


def gone(made):
    host = made.host
    return (
        not made.boxes()
        and made.name not in host.store.serving()
        and not host.images.all(made.name)
        and not (host.settings.repositories / f"{made.name}.git").exists()
        and not made.answers()
    )


def test_project_that_leaves_while_it_is_built_does_not_go_live(own):
    web = own.add("never-live", health={"min_uptime": 5})
    build = web.until(PHASE.GATING, web.push())

    own.unregister(web.name)

    own.until(lambda: own.store.get(build.id).phase.is_end, "its end")
    assert own.store.get(build.id).phase is PHASE.CANCELLED
    own.until(lambda: not web.boxes() and not web.answers(), "its container to go")


def test_project_that_leaves_while_it_is_watched_goes_when_that_is_over(own):
    web = own.add("watched", watch=3)
    build = web.until(PHASE.WATCHING, web.push())

    own.unregister(web.name)

    own.until(lambda: gone(web), "all of it to go")
    assert own.store.get(build.id).phase is PHASE.LIVE


def test_project_that_leaves_while_the_worker_is_down_is_found_missing(own):
    web, other = own.add("missed"), own.add("stays")
    web.live()
    other.live()

    dead = own.kill("worker")
    own.unregister(web.name)
    own.replaced("worker", dead)

    own.until(lambda: gone(web), "all of it to go", 20)
    assert other.get() == other.version


def test_project_that_comes_back_starts_anew(own):
    web = own.add("returns")
    web.live()
    entry = own.entry(web.name)
    own.unregister(web.name)
    own.until(lambda: gone(web), "all of it to go")

    own.replace(entry)

    own.until(lambda: web.answers() and web.get() == web.version, "its return")


def test_project_that_never_went_live_leaves_nothing_behind(own):
    web = own.add("never-good", health={"path": "/nowhere", "timeout": 1})
    assert web.deploy().phase is PHASE.FAILED
    assert own.images.all(web.name)

    own.unregister(web.name)

    own.until(lambda: gone(web), "all of it to go")


# --- what serves is kept ----------------------------------------------------------------------


def kept(made):
    """Have a project leave, and what serves of it stay."""
    made.host.run("remove", made.name, "--keep")
    made.host.until(lambda: delivery_status(made) == 404, "web to know")


def delivery_status(made):
    body = b"{}"
    headers = delivery.headers(body, made.host.webhook.secrets[made.name])
    connection = http.client.HTTPConnection("127.0.0.1", made.host.settings.port, timeout=5)
    with contextlib.closing(connection):
        connection.request("POST", f"/hooks/{made.name}", body, headers)
        return connection.getresponse().status


def test_what_is_kept_serves_on_and_is_not_built_any_more(own):
    web = own.add("kept")
    web.live()
    container, version = web.serving().id, web.version

    kept(web)
    pushed = web.push()
    refused = own.run("deploy", web.name, code=1)["error"]
    rolled = own.run("rollback", web.name, code=1)["error"]

    assert "has left, and what serves of it is kept as it is" in refused
    assert "has left, and what serves of it is kept as it is" in rolled
    assert (web.serving().id, web.get()) == (container, version)
    assert web.build_of(pushed) is None
    assert "has left, what serves is kept" in web.shown()["warning"]
    listed = http.client.HTTPConnection("127.0.0.1", own.settings.port, timeout=5)
    with contextlib.closing(listed):
        listed.request("GET", "/")
        assert web.name not in listed.getresponse().read().decode()


def test_what_is_kept_outlasts_the_worker_the_proxy_and_its_own_death(own):
    web = own.add("kept-on", restart="always")
    web.live()
    kept(web)

    own.restart("worker")
    own.restart("proxy")

    own.until(lambda: web.answers() and web.get() == web.version, "its answer")
    own.engine.api.kill(web.serving().id)
    own.engine.api.start(web.serving().id)
    own.until(lambda: web.answers() and web.get() == web.version, "its answer again")


def test_what_is_kept_goes_with_its_entry(own):
    web = own.add("kept-then-gone")
    web.live()
    kept(web)

    own.run("remove", web.name)

    own.until(lambda: gone(web), "all of it to go")


def test_what_is_kept_is_built_again_once_it_is_registered(own):
    web = own.add("kept-and-back")
    web.live()
    entry, container = own.entry(web.name), web.serving().id
    kept(web)

    own.replace(entry)
    assert web.serving().id == container  # nothing has changed yet
    web.live()

    assert web.get() == web.version
    assert web.serving().id != container


def test_a_build_under_way_ends_with_what_served_before(own):
    web = own.add("kept-while-built", health={"min_uptime": 5})
    own.register(web, health={"min_uptime": 0.1})
    web.live()
    version = web.version
    own.register(web, health={"min_uptime": 6})
    build = web.until(PHASE.GATING, web.push())

    kept(web)

    own.until(lambda: own.store.get(build.id).phase.is_end, "its end")
    assert own.store.get(build.id).phase is PHASE.CANCELLED
    assert web.get() == version


def test_what_serves_nothing_cannot_be_kept(own):
    web = own.add("kept-nothing")

    refused = own.run("remove", web.name, "--keep", code=1)["error"]

    assert "Nothing serves of kept-nothing that could be kept" in refused
