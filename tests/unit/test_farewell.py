"""Old versions end in time, whatever is known of them."""

import pytest

from build_hook import part, project
from build_hook.deploy import containers, engine, farewell
from build_hook.proxy import front
from build_hook.store import builds, lingering, parts

PHASE = builds.Phase


def box(build):
    return containers.Container(
        id=str(build) * 64, name=f"shop-{build}-x", project="shop", build=build,
        commit="a" * 40, status="running", address="127.0.0.1", restarts=0, exit_code=0,
        out_of_memory=False, health=None, started=0.0,
    )  # fmt: skip


@pytest.fixture
def stopped(monkeypatch):
    """Which containers were stopped, and how long each was given."""
    found = []
    monkeypatch.setattr(containers.Containers, "of_build", lambda self, of, build: box(build))
    monkeypatch.setattr(
        containers.Containers, "stop", lambda self, one, grace: found.append((one, grace))
    )
    monkeypatch.setattr(containers.Containers, "remove", lambda self, one: None)
    return found


@pytest.fixture
def farewells(config, store):
    nowhere = engine.Engine("unix:///nowhere", config.instance)
    return farewell.Farewells(
        config, store, containers.Containers(nowhere, config), front.Front(config)
    )


def lingers(config, build):
    known = lingering.Lingering(config.database)
    known.add(lingering.Version(build, "shop", 0))
    known.close()


@pytest.mark.parametrize("way", ["look", "make_room"])
def test_version_that_was_adopted_gets_the_usual_time_to_end(
    config, store, farewells, stopped, way
):
    """Nothing is known of what it was deployed with."""
    store.adopt("shop", "refs/heads/main", 7, "a" * 40, "image-7", "7" * 64)
    lingers(config, 7)
    store.set_serving("shop", store.add(_request()).id, 7)

    if way == "look":
        farewells.look(1.0)
    else:
        farewells.make_room("shop", most=0)

    usual = project.Project.model_fields["stop_grace_period"].default
    assert stopped == [("7" * 64, usual)]
    assert farewells.builds() == set()


def test_version_gets_the_time_that_it_was_deployed_with(config, store, farewells, stopped):
    of = project.Project(
        name="shop", repository="https://git.example/shop.git", stop_grace_period=77
    )
    build = store.add(_request())
    store.note(build.id, settings=of.model_dump_json(exclude_defaults=True))
    store.enter(build.id, PHASE.LIVE)
    lingers(config, build.id)

    farewells.look(1.0)

    assert stopped == [(str(build.id) * 64, 77)]


def _request():
    return builds.Request("shop", "refs/heads/main", builds.Cause.PUSH)


def test_services_of_one_build_end_each_for_itself(config, store, farewells, stopped):
    """With what each was deployed with."""
    build = store.add(_request()).id
    of = {"repository": "https://git.example/shop.git"}
    pieces = [
        parts.Piece(
            part.Part.model_validate({**of, "name": name, "stop_grace_period": grace}), "image"
        )
        for name, grace in (("shop.chat", 33), ("shop.web", 44))
    ]
    known = parts.Parts(config.database)
    known.put(build, pieces)
    known.close()
    lasting = lingering.Lingering(config.database)
    lasting.add(lingering.Version(build, "shop.chat", 0))
    lasting.add(lingering.Version(build, "shop.web", 0))
    lasting.close()

    farewells.make_room("shop.chat", most=0)
    assert [grace for _, grace in stopped] == [33]
    assert farewells.builds("shop.web") == {build}

    farewells.look(1.0)
    assert [grace for _, grace in stopped] == [33, 44]
    assert farewells.builds() == set()
