"""Projects that leave the registry take everything of theirs with them, at any moment."""

import pytest

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
