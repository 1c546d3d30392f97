"""What runs though the store has lost it: which version of each service is taken over."""

import dataclasses
from typing import Any, cast

import pytest

from build_hook import labels, part, project, settings
from build_hook.deploy import adoption, containers, tend
from build_hook.store import builds, parts

PHASE = builds.Phase
SHOP = project.Project.model_validate(
    {"name": "shop", "repository": "https://git.example/shop.git", "compose": {}}
)
INSTANCE = "1a2b"


def box(service, build, name=None, **of):
    unit = f"shop.{service}" if service else "shop"
    given = {
        "id": f"{unit}-{build}", "name": name or labels.container_name(INSTANCE, unit, build),
        "project": "shop", "build": build, "commit": f"commit-{build}", "status": "running",
        "address": f"172.30.0.{build}", "restarts": 0, "exit_code": 0, "out_of_memory": False,
        "health": None, "started": 0.0, "image": f"sha256:{build}", "service": service,
    }  # fmt: skip
    return containers.Container(**{**given, **of})


def named(service, build, side="a"):
    return box(service, build, labels.live_name(INSTANCE, f"shop.{service}", side))


@pytest.fixture
def config(tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "instance").write_text(f"{INSTANCE}\n")
    return settings.load(tmp_path / "state", {})


@pytest.fixture
def adopted(config, store):
    assert config.instance == INSTANCE

    def adopt(*found, of=SHOP):
        adoption.adopt(config, store, found, [of])
        return {unit: row.build for unit, row in store.serving().items()}

    return adopt


def test_each_service_is_adopted_from_the_build_that_it_runs(adopted):
    assert adopted(named("db", 1), named("web", 4), named("api", 2)) == {
        "shop": 4, "shop.db": 1, "shop.web": 4, "shop.api": 2,
    }  # fmt: skip


def test_nobody_can_go_back_to_what_is_known_by_a_container_only(adopted, store):
    adopted(named("db", 1))

    assert (store.get(1).image, store.get(1).has_image) == (None, False)
    assert store.get(1).project == "shop"


def test_a_candidate_is_not_taken_for_what_serves(adopted):
    found = adopted(named("api", 2), box("api", 3), named("web", 2, "b"))

    assert found == {"shop": 2, "shop.api": 2, "shop.web": 2}


def test_what_the_proxy_sends_traffic_to_goes_first(adopted, config):
    config.run.mkdir(exist_ok=True)
    (config.run / "haproxy.cfg").write_text("server a 172.30.0.2:8000\n")

    assert adopted(box("web", 2), named("web", 3))["shop.web"] == 2


def test_a_plain_project_is_adopted_with_its_image(adopted, store):
    plain = SHOP.model_copy(update={"compose": None})

    assert adopted(box("", 7), of=plain) == {"shop": 7}
    assert (store.get(7).image, store.get(7).has_image) == ("sha256:7", True)


def test_what_is_known_stays_and_the_rest_is_added(adopted, store):
    store.adopt("shop.web", "refs/heads/main", 3, "c", None, "box")

    found = adopted(named("web", 4), named("db", 2))

    assert found == {"shop": 3, "shop.web": 3, "shop.db": 2}


def test_a_build_under_way_is_not_what_serves_the_whole(adopted, store):
    build = store.add(builds.Request("shop", "refs/heads/main", builds.Cause.PUSH))
    store.enter(build.id, PHASE.SWITCHING)
    found = adopted(named("api", build.id), dataclasses.replace(named("web", 9), build=0))

    assert found["shop"] == 0
    assert found["shop.api"] == build.id


def piece(name):
    of = {"name": name, "repository": "https://git.example/shop.git"}
    return parts.Piece(part.Part.model_validate(of), f"sha256:{name}")


@pytest.fixture
def known(config):
    made = parts.Parts(config.database)
    yield made
    made.close()


def test_parts_of_which_some_are_lost_are_forgotten(adopted, store, known):
    pieces = [piece("shop.db"), piece("shop.web")]
    for some in (pieces, pieces[:1]):
        build = store.add(builds.Request("shop", "refs/heads/main", builds.Cause.PUSH))
        store.enter(build.id, PHASE.LIVE)
        store.note(build.id, image=parts.name_of(pieces))
        known.put(build.id, some)

    adopted()

    assert known.of(1) == tuple(pieces)
    assert known.of(2) == ()


class Shelf:
    def exists(self, image):
        return True


@pytest.mark.parametrize("is_known", [True, False])
def test_a_lost_service_is_built_where_its_image_is_not_known(store, known, is_known):
    for unit in ("shop", "shop.db", "shop.web"):
        store.adopt(unit, "refs/heads/main", 5, "c", None, "box")
    if is_known:
        known.put(5, [piece("shop.db"), piece("shop.web")])

    tend.remake(store, cast("Any", Shelf()), store.serving()["shop.db"])

    (again,) = store.queued()
    assert again.source == (5 if is_known else None)
    assert store.serving().keys() == {"shop", "shop.web"}
