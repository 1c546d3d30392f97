"""What lives as long as the process outlasts whatever goes wrong, a full disk first of all."""

import errno
import logging
import os

import pytest

from build_hook import errors, project
from build_hook.deploy import (
    buildlog,
    containers,
    engine,
    farewell,
    housekeeping,
    lock,
    reconcile,
    sightings,
    sources,
    steady,
    tend,
    upkeep,
)
from build_hook.proxy import front
from build_hook.store import builds, lingering

PHASE = builds.Phase
LOG = logging.getLogger(__name__)
SHOP = project.Project(name="shop", repository="https://git.example/shop.git")


class Faults:
    """What is called goes wrong in the ways that are left, then ends the thread."""

    def __init__(self, *ways):
        self.ways = list(ways)

    def __call__(self, *_, **__):
        if not self.ways:
            raise SystemExit
        way = self.ways.pop(0)
        if isinstance(way, Exception):
            raise way
        return way


def full():
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture(autouse=True)
def _hurry(monkeypatch):
    monkeypatch.setattr(steady, "_REST", 0.0)
    for module, name in ((tend, "_RETRY"), (farewell, "EVERY"), (housekeeping, "EVERY")):
        monkeypatch.setattr(module, name, 0.0)


@pytest.fixture
def nowhere(config):
    return engine.Engine("unix:///nowhere", config.instance)


def outlasts(run, *faults):
    """The thread goes on until all that was to go wrong has."""
    with pytest.raises(SystemExit):
        run()
    assert all(not fault.ways for fault in faults)


def test_it_goes_on_and_says_what_is_wrong_once(caplog):
    away = errors.EngineDownError("The engine is away", "Start it")
    faults = Faults(away, away, full(), full(), None, away)

    with caplog.at_level(logging.WARNING):
        outlasts(lambda: steady.forever(faults, 0, steady.Rounds(LOG, "upkeep")), faults)

    assert [(r.levelname, r.message) for r in caplog.records] == [
        ("WARNING", "upkeep: The engine is away. Start it"),
        ("ERROR", "upkeep: unforeseen, it is tried again"),
        ("WARNING", "upkeep: The engine is away. Start it"),
    ]


def test_tender_outlasts_a_full_disk(config, store, nowhere, monkeypatch):
    faults = Faults(full(), full())
    monkeypatch.setattr(sightings, "write", faults)
    monkeypatch.setattr(containers.Containers, "roll_call", lambda self: [])
    of = tend.Tender(config, store, nowhere, front.Front(config), lambda build: False)

    outlasts(of.run, faults)


def test_full_disk_does_not_keep_the_tender_from_looking_after_a_build(
    config, store, nowhere, monkeypatch
):
    ended = store.add(builds.Request("shop", SHOP.ref, builds.Cause.PUSH))
    monkeypatch.setattr(sightings, "write", Faults(full()))
    monkeypatch.setattr(containers.Containers, "roll_call", lambda self: [])
    of = tend.Tender(config, store, nowhere, front.Front(config), lambda build: False)
    looked = []
    monkeypatch.setattr(of, "look", looked.append)

    of.after(ended)

    assert looked == ["shop"]


@pytest.fixture
def farewells(config, store, nowhere):
    """Two versions linger whose containers are gone."""
    for _ in range(2):
        row = store.add(builds.Request("shop", SHOP.ref, builds.Cause.PUSH))
        store.enter(row.id, PHASE.LIVE)
        lingering.Lingering(config.database).add(lingering.Version(row.id, "shop", 0))
    return farewell.Farewells(
        config, store, containers.Containers(nowhere, config), front.Front(config)
    )


def test_farewells_outlast_whatever_goes_wrong_and_each_version_counts_for_itself(
    farewells, monkeypatch
):
    faults = Faults(full(), full(), RuntimeError("the kernel says no"), None)
    monkeypatch.setattr(farewells._containers, "of_build", faults)

    outlasts(farewells.run, faults)

    assert farewells.builds() == {1}  # build 2 has ended


def test_housekeeper_outlasts_a_full_disk(config, store, nowhere, monkeypatch):
    forgets, relieves = Faults(full()), Faults(FileNotFoundError("7.log"), upkeep.Freed())
    monkeypatch.setattr(housekeeping, "forget", forgets)
    monkeypatch.setattr(upkeep.Upkeep, "relieve", relieves)
    of = housekeeping.Housekeeper(config, upkeep.Upkeep(config, nowhere, store), list)

    outlasts(of.run, forgets, relieves)


def reconciler(config, store, nowhere, projects):
    origins = sources.Sources(config, nowhere)
    return reconcile.Reconciler(store, projects, 300, lambda: None, origins)


def test_reconciler_outlasts_a_full_disk(config, store, nowhere):
    faults = Faults(full(), full())

    outlasts(reconciler(config, store, nowhere, faults).run, faults)


def test_look_that_goes_wrong_makes_room_for_others(config, store, nowhere, monkeypatch):
    faults = Faults(full())
    monkeypatch.setattr(reconcile, "_by_login", faults)
    of = reconciler(config, store, nowhere, lambda: (SHOP,))
    of._under_way = 1

    of._look(SHOP.origin, [SHOP])

    assert of._under_way == 0


def test_log_that_cannot_be_made_stops_no_build(tmp_path):
    log = buildlog.BuildLog(tmp_path / "gone" / "1.log", 1000)

    log("said to nobody")
    log.close()

    assert log.last == ("said to nobody",)


def test_worker_takes_its_lock_on_a_full_disk(config):
    (config.run / "worker.lock").symlink_to("/dev/full")

    lock.take(config).close()
