"""Services are watched each like a project, and against how they answered before."""

import types
from typing import Any, cast

import pytest

from build_hook import errors, part, project
from build_hook.deploy import containers, tally
from build_hook.deploy.ensemble import plan, vigil
from build_hook.store import parts

SHOP = project.Project.model_validate(
    {"name": "shop", "repository": "https://h/shop.git", "compose": {}, "tolerance": {"errors": 5}}
)
PORT = {"ports": [{"target": 8000, "published": 8080}]}


def box(**of):
    given = {
        "id": "new", "name": "x", "project": "shop", "build": 2, "commit": "c", "service": "web",
        "status": "running", "address": None, "restarts": 0, "exit_code": 0,
        "out_of_memory": False, "health": None, "started": 0.0,
    }  # fmt: skip
    return containers.Container(**{**given, **of})


def step(name, *, is_new, **given):
    made = plan.Step(parts.Piece(part.make(SHOP, name, given), "image"), None, is_new)
    made.new = box(service=name) if is_new else None
    return made


class World:
    """What the proxy counts, and how the containers are."""

    def __init__(self):
        self.counts: dict[str, tally.Tally] = {}
        self.found = box()
        self.cancelled = False

    def servers(self, name):
        return frozenset({(name, "a")})

    def count(self, servers):
        ((name, _),) = servers
        return self.counts.get(name, tally.Tally())

    def look(self, _):
        return self.found

    def check_cancelled(self):
        if self.cancelled:
            raise errors.TakenBackError("Cancelled")


@pytest.fixture
def world():
    return World()


@pytest.fixture
def over(world):
    """A vigil over steps, with what was counted before."""

    def make(*planned, is_first=False):
        it = cast("Any", world)
        vigils = vigil.Vigils(it, it, it)
        before = None if is_first else vigils.before(planned)
        return vigils.over(cast("Any", types.SimpleNamespace(
            check_cancelled=world.check_cancelled)), planned, before)  # fmt: skip

    return make


LEAKS = tally.Tally(100, 20)


@pytest.mark.parametrize("is_new", [True, False])
def test_a_published_service_that_answers_worse_is_named(world, over, is_new):
    watched = over(step("web", is_new=is_new, **PORT), step("api", is_new=True))
    world.found = box(address="127.0.0.1")
    world.counts["shop.web"] = LEAKS

    with pytest.raises(errors.WatchError, match=r"^Service web: 20 of its 100 answers"):
        watched.check()


def test_one_that_was_as_bad_before_stays(world, over):
    world.counts["shop.web"] = LEAKS
    watched = over(step("web", is_new=False, **PORT))

    watched.check()


def test_the_tolerance_of_the_project_is_each_services(world, over):
    watched = over(step("web", is_new=False, **PORT))
    world.counts["shop.web"] = tally.Tally(4, 4)
    watched.check()
    world.counts["shop.web"] = tally.Tally(5, 5)

    with pytest.raises(errors.WatchError, match="5 of its 5"):
        watched.check()


def test_one_that_is_not_published_and_dies_is_named(world, over):
    watched = over(step("db", is_new=False), step("api", is_new=True))
    world.found = box(status="exited", exit_code=7)

    with pytest.raises(errors.WatchError, match=r"^Service api: .* exit status 7") as caught:
        watched.over(60, lambda: False)
    assert caught.value.exit_code == 7


def test_the_first_version_is_compared_with_nothing(world, over):
    watched = over(step("web", is_new=True, **PORT), is_first=True)
    world.counts["shop.web"] = LEAKS

    watched.check()


def test_nothing_replaced_is_not_waited_for_but_cancelled(world, over):
    watched = over(step("db", is_new=False))
    watched.over(3600, lambda: False)
    world.cancelled = True

    with pytest.raises(errors.TakenBackError):
        watched.over(3600, lambda: False)


def test_rules_of_the_project_are_each_services():
    of = SHOP.model_copy(update={"session_grace": 60.0})
    made = part.make(of, "web", {})

    assert (made.session_grace, made.tolerance.errors) == (60, 5)
