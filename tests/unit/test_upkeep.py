import os
import shutil
import time
from typing import Any

import pytest

from build_hook import settings
from build_hook.deploy import buildlog, engine, images, upkeep
from build_hook.store import builds

PHASE = builds.Phase


class Shelf:
    """Images in memory."""

    def __init__(self, kept):
        self.kept = kept

    def all(self, of):
        return [image for image in self.kept if image.project == of]

    def remove(self, image):
        self.kept.remove(image)
        return True


class Cache:
    """A build cache in memory."""

    def __init__(self, held):
        self.held = held

    def size(self):
        return self.held

    def cut(self, to):
        freed, self.held = self.held - to, to
        return freed


class Engine(engine.Engine):
    """An engine whose data lies in the state folder."""

    def __init__(self, folder):
        super().__init__("unix:///nowhere", "abcd")
        self._folder = folder

    def data_root(self):
        return self._folder


@pytest.fixture
def made(tmp_path, monkeypatch):
    """An upkeep over six builds that were live, of which the last two serve."""
    stores = []

    def make(used=50, cache=0, **environ):
        config = settings.load(
            tmp_path / "state", {f"BUILD_HOOK_{k}": str(v) for k, v in environ.items()}
        )
        store = builds.Builds(config.database)
        stores.append(store)
        shelf = []
        for number in range(1, 7):
            build = store.add(builds.Request("shop", "refs/heads/main", builds.Cause.PUSH))
            store.note(build.id, image=f"image-{number}")
            store.enter(build.id, PHASE.LIVE)
            shelf.append(images.Image(f"image-{number}", "shop", build.id))
            buildlog.path(config.logs, build.id).write_bytes(b"x" * 2**20)
        store.set_serving("shop", 6, 5)
        monkeypatch.setattr(
            shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, used, 100 - used)
        )
        of: Any = upkeep.Upkeep(config, Engine(tmp_path), store)
        of._shelf, of._cache = Shelf(shelf), Cache(cache)
        return of

    yield make
    for store in stores:
        store.close()


def kept(of):
    return [image.build for image in of._shelf.kept]


def test_nothing_is_removed_within_the_bounds(made):
    of = made(KEEP_IMAGES=6, cache=10**12)

    assert not of.bound(["shop"])
    assert not of.relieve(["shop"])


def test_bounds_of_images_and_records(made):
    of = made(KEEP_IMAGES=4, KEEP_BUILDS=5)

    freed = of.bound(["shop"])

    assert (freed.images, freed.builds) == (2, 1)
    assert kept(of) == [3, 4, 5, 6]


def test_bound_of_log_bytes(made):
    freed = made(KEEP_IMAGES=6, KEEP_LOGS_MB=4).bound(["shop"])

    assert (freed.logs, freed.log_bytes) == (2, 2 * 2**20)


def test_bound_of_log_days(made):
    of = made(KEEP_IMAGES=6, KEEP_LOGS_DAYS=2)
    old = time.time() - 3 * 86_400
    os.utime(buildlog.path(of._settings.logs, 1), (old, old))

    assert of.bound(["shop"]).logs == 1


@pytest.mark.parametrize(
    ("given", "freed"), [({}, 0), ({"BUILD_CACHE_MB": 2}, 2**20), ({"BUILD_CACHE_MB": 3}, 0)]
)
def test_cache_is_cut_only_where_somebody_said_so(made, given, freed):
    assert made(KEEP_IMAGES=6, cache=3 * 2**20, **given).bound(["shop"]).cache_bytes == freed


@pytest.mark.parametrize(("used", "builds_left"), [(89, [1, 2, 3, 4, 5, 6]), (90, [5, 6])])
def test_above_the_mark_what_serves_and_served_last_stays(made, used, builds_left):
    of = made(used=used, KEEP_IMAGES=6)

    of.relieve(["shop"])

    assert kept(of) == builds_left


def test_mark_can_be_moved(made):
    of = made(used=50, KEEP_IMAGES=6, DISK_HIGH_PERCENT=40)

    of.relieve(["shop"])

    assert kept(of) == [5, 6]
    assert of.used_percent() == 50


def test_records_of_a_project_that_left_go_with_the_age_of_logs(made):
    of = made(KEEP_LOGS_DAYS=2)
    store = of._store
    old, young = (store.add(builds.Request("gone", "refs/heads/main", builds.Cause.PUSH)).id
                  for _ in range(2))  # fmt: skip
    for build, days in ((old, 3), (young, 1), (1, 3)):
        store.enter(build, PHASE.FAILED)
        with store.session.transaction() as connection:
            connection.execute(
                "UPDATE builds SET finished = ? WHERE id = ?", (time.time() - days * 86_400, build)
            )

    assert not of.bound([]).builds  # that may as well be a registry that is lost
    assert of.bound(["shop"]).builds == 1

    assert [build.id for build in store.recent("gone")] == [young]
    assert store.get(1).project == "shop"
