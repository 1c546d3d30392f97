import dataclasses

import pytest

from build_hook import part, settings
from build_hook.deploy import buildlog, collect, images
from build_hook.store import builds, lingering, parts

PHASE = builds.Phase


@dataclasses.dataclass
class Shelf:
    """Images in memory."""

    kept: list[images.Image]

    def all(self, of):
        return [image for image in self.kept if image.project == of]

    def remove(self, image):
        self.kept = [kept for kept in self.kept if kept is not image]
        return True

    def exists(self, image):
        return any(kept.id == image for kept in self.kept)


@pytest.fixture
def config(tmp_path):
    return settings.load(
        tmp_path / "state", {"BUILD_HOOK_KEEP_IMAGES": "2", "BUILD_HOOK_KEEP_BUILDS": "3"}
    )


@pytest.fixture
def shelf(store):
    """Six builds that were live, each with an image; the last two serve."""
    made = []
    for number in range(1, 7):
        build = store.add(builds.Request("shop", "refs/heads/main", builds.Cause.PUSH))
        store.note(build.id, image=f"image-{number}")
        store.enter(build.id, PHASE.LIVE)
        made.append(images.Image(f"image-{number}", "shop", build.id))
    store.set_serving("shop", 6, 5)
    return Shelf(made)


def ids(shelf):
    return [image.id for image in shelf.kept]


def test_newest_images_and_records_are_kept(config, store, shelf):
    for number in range(1, 7):
        buildlog.path(config.logs, number).touch()

    removed = collect.tidy("shop", config, store, shelf)

    assert removed == collect.Removed(images=4, builds=3)
    assert ids(shelf) == ["image-5", "image-6"]
    assert [build.id for build in store.recent("shop")] == [6, 5, 4]
    assert sorted(path.name for path in config.logs.iterdir()) == ["4.log", "5.log", "6.log"]


def test_what_serves_or_served_last_is_kept_however_old(config, store, shelf):
    store.set_serving("shop", 2, 1)

    collect.tidy("shop", config, store, shelf)

    assert ids(shelf) == ["image-1", "image-2", "image-5", "image-6"]
    assert [build.id for build in store.recent("shop")] == [6, 5, 4, 2, 1]


def test_image_that_a_roll_back_runs_from_is_kept(config, store, shelf):
    back = store.add(builds.Request("shop", "refs/heads/main", builds.Cause.ROLLBACK, source=2))
    store.note(back.id, image="image-2")
    store.enter(back.id, PHASE.LIVE)
    store.set_serving("shop", back.id, 6)

    collect.tidy("shop", config, store, shelf)

    assert ids(shelf) == ["image-2", "image-5", "image-6"]


def test_image_of_a_build_under_way_is_kept(config, store, shelf):
    running = store.add(builds.Request("shop", "refs/heads/main", builds.Cause.ROLLBACK, source=1))
    store.note(running.id, image="image-1")
    store.enter(running.id, PHASE.STARTING)

    collect.tidy("shop", config, store, shelf)

    assert ids(shelf) == ["image-1", "image-5", "image-6"]


def test_failed_builds_do_not_push_out_the_versions_to_go_back_to(config, store, shelf):
    for number in range(7, 12):
        broken = store.add(builds.Request("shop", "refs/heads/main", builds.Cause.PUSH))
        store.note(broken.id, image=f"image-{number}")
        store.enter(broken.id, PHASE.FAILED)
        shelf.kept.append(images.Image(f"image-{number}", "shop", broken.id))

    collect.tidy("shop", config, store, shelf)

    assert ids(shelf) == ["image-5", "image-6"]
    assert {5, 6} <= {build.id for build in store.recent("shop")}  # though older than three


def test_record_tells_whether_its_image_is_here(config, store, shelf):
    shelf.kept = shelf.kept[:-2] + shelf.kept[-1:]  # somebody removed one by hand

    collect.tidy("shop", config, store, shelf)

    assert [(b.id, b.has_image) for b in store.recent("shop")] == [
        (6, True),
        (5, False),
        (4, False),
    ]


def test_secrets_go_with_the_builds_that_had_them(config, store, shelf):
    for number in range(1, 8):
        (config.confided / "shop" / str(number)).mkdir(parents=True)
    for number in (1, 2, 3, 4):
        (config.confided / "shop.db" / str(number)).mkdir(parents=True)
    store.set_serving("shop.db", 4, 2)

    collect.tidy("shop", config, store, shelf)

    assert {p.name for p in (config.confided / "shop").iterdir()} == {"2", "4", "5", "6"}
    assert {p.name for p in (config.confided / "shop.db").iterdir()} == {"2", "4"}


def test_secrets_of_what_long_sessions_hold_stay(config, store, shelf):
    for number in (1, 2):
        (config.confided / "shop" / str(number)).mkdir(parents=True)
    held = lingering.Lingering(config.database)
    held.add(lingering.Version(1, "shop", 1e10))
    held.close()

    collect.tidy("shop", config, store, shelf)

    assert {p.name for p in (config.confided / "shop").iterdir()} == {"1"}


def test_secrets_of_a_roll_back_that_can_be_gone_back_to_stay(config, store, shelf):
    back = store.add(builds.Request("shop", "refs/heads/main", builds.Cause.ROLLBACK, source=5))
    store.note(back.id, image="image-5")
    store.enter(back.id, PHASE.LIVE)
    (config.confided / "shop" / str(back.id)).mkdir(parents=True)

    collect.tidy("shop", config, store, shelf)

    assert [p.name for p in (config.confided / "shop").iterdir()] == [str(back.id)]


# A compose project: its images tell no build.


@pytest.fixture
def known(config):
    made = parts.Parts(config.database)
    yield made
    made.close()


@pytest.fixture
def services(store, known):
    """Builds of one service, each with an image of its own; returns their shelf."""
    shelf = Shelf([])
    web = part.Part.model_validate({"name": "shop.web", "repository": "https://h/shop.git"})

    def make(phase, *numbers):
        for number in numbers:
            build = store.add(builds.Request("shop", "refs/heads/main", builds.Cause.PUSH))
            assert build.id == number
            pieces = [parts.Piece(web, f"image-{number}")]
            known.put(build.id, pieces)
            store.note(build.id, image=parts.name_of(pieces))
            store.enter(build.id, phase)
            shelf.kept.append(images.Image(f"image-{number}", "shop", 0))
        return shelf

    return make


def test_failed_builds_of_services_do_not_push_out_the_versions_to_go_back_to(
    config, store, services
):
    services(PHASE.LIVE, 1, 2, 3)
    store.set_serving("shop", 3, 2)
    shelf = services(PHASE.FAILED, 4, 5, 6, 7)

    collect.tidy("shop", config, store, shelf)

    assert ids(shelf) == ["image-2", "image-3"]
    assert [b.id for b in store.went_live("shop", 9)] == [3, 2]


def test_images_of_services_of_a_build_under_way_are_kept(config, store, services):
    shelf = services(PHASE.LIVE, 1)
    store.set_serving("shop", 1, None)
    running = store.add(builds.Request("shop", "refs/heads/main", builds.Cause.PUSH))
    store.enter(running.id, PHASE.BUILDING)
    shelf.kept.append(images.Image("made a moment ago", "shop", 0))

    collect.tidy("shop", config, store, shelf)
    assert ids(shelf) == ["image-1", "made a moment ago"]

    store.enter(running.id, PHASE.FAILED)
    collect.tidy("shop", config, store, shelf)
    assert ids(shelf) == ["image-1"]


def test_an_image_that_was_pulled_keeps_the_tags_of_what_can_be_gone_back_to(
    config, store, services
):
    shelf = services(PHASE.LIVE, 1, 2, 3, 4)
    store.set_serving("shop", 4, 3)
    shelf.kept = [
        images.Image("image-4", "shop", number, is_pulled=True, unit="shop.web")
        for number in (1, 2, 3, 4)
    ]

    collect.tidy("shop", config, store, shelf)

    assert [image.build for image in shelf.kept] == [3, 4]
