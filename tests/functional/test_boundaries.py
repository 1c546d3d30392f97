"""The worker dies at every boundary of a deploy, between what it records and what it does."""

import pathlib
from collections.abc import Callable

import pytest

from build_hook.demo import product, traffic
from build_hook.deploy import job
from build_hook.store import builds
from tests.functional import composed
from tests.functional import host as hosts

PHASE = builds.Phase
WAY = (PHASE.FETCHING, PHASE.BUILDING, PHASE.STARTING, PHASE.GATING, PHASE.SWITCHING,
       PHASE.DRAINING, PHASE.WATCHING)  # fmt: skip


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The file that says after which phase the worker dies."""
    return tmp_path_factory.mktemp("told") / "phase"


@pytest.fixture(scope="module")
def host(base, told):
    plain = product.environment
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            product, "environment", lambda config: {**plain(config), job.DIE_AFTER: str(told)}
        )
        with hosts.serving(base, reconcile_interval=2, min_free_mb=10) as made:
            yield made


@pytest.fixture(scope="module")
def rolling(host):
    made = host.add("rolling")
    made.live()
    return made


@pytest.fixture(scope="module")
def recreated(host):
    made = host.add("recreated", strategy="recreate")
    made.live()
    return made


def dies_after(
    phase: PHASE,
    told: pathlib.Path,
    made: hosts.Project,
    push: Callable[[], str] | None = None,
    says: Callable[[], str] | None = None,
) -> builds.Build:
    """Push, with a worker that dies there; the build that is live in the end."""
    push, says = push or made.push, says or (lambda: made.version)
    dead = made.host.pid("worker")
    told.write_text(phase, encoding="ascii")
    with traffic.Traffic({made.name: made.url}, 2, patience=30) as load:  # recreate holds them
        assert load.wait_for(made.name, says(), 10), "no answer before the push"
        commit = push()
        made.host.until(lambda: not told.exists(), f"the death after {phase}", 60)
        made.host.replaced("worker", dead)
        made.host.until(lambda: is_live(made, commit), "the push to be live", 90)
        assert load.wait_for(made.name, says(), 20), "the new version does not answer"
        load.check()
        load.stop()
    assert load.failures() == {}
    return made.host.store.get(made.host.store.serving()[made.name].build)


def is_live(made: hosts.Project, commit: str) -> bool:
    serving = made.host.store.get(made.host.store.serving()[made.name].build)
    is_quiet = all(build.phase.is_end for build in made.history())
    return is_quiet and (serving.commit, serving.phase) == (commit, PHASE.LIVE)


def nothing_is_left_over(made: hosts.Project, live: builds.Build) -> None:
    serving = made.host.store.serving()[made.name]
    boxes = {(box.build, box.is_running) for box in made.boxes()}
    assert boxes == {(live.id, True), (serving.previous, False)}
    assert not list(made.host.settings.checkouts.iterdir())


@pytest.mark.parametrize("phase", WAY)
def test_worker_that_dies_at_a_boundary_loses_nothing(rolling, told, phase):
    live = dies_after(phase, told, rolling)

    nothing_is_left_over(rolling, live)


@pytest.mark.parametrize("phase", [phase for phase in WAY if phase is not PHASE.DRAINING])
def test_nor_where_the_old_version_stops_first(recreated, told, phase):
    live = dies_after(phase, told, recreated)

    nothing_is_left_over(recreated, live)


@pytest.fixture(scope="module")
def shop(host):
    """Three services, each pushed anew each time; the last of them keeps what it knows."""
    made = composed.Shop(host, "boundaries")
    made.live()
    return made


@pytest.mark.parametrize("phase", WAY)
def test_nor_where_there_are_several_services(shop, told, phase):
    number = len(shop.of.history()) + 1
    before = [shop.of.get()]

    def push() -> str:
        before[0] = f"web-{number}/api-{number}/starts-1"
        web, api = composed.web(str(number)), composed.api(str(number))
        return shop.of.push(**{"web/index__cgi": web, "api/index__cgi": api})

    live = dies_after(phase, told, shop.of, push, lambda: before[0])

    running = {box.service: box.build for box in shop.of.boxes() if box.is_running}
    assert running.keys() == {"web", "api", "db"}
    assert running["web"] == running["api"] == live.id
