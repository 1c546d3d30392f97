"""What a build does with each service of a compose file."""

import pytest

from build_hook import part, project
from build_hook.deploy import containers
from build_hook.deploy.ensemble import plan
from build_hook.store import builds, parts

SHOP = project.Project.model_validate(
    {"name": "shop", "repository": "https://h/shop.git", "compose": {}}
)


def piece(name, image="image-1", **given):
    return parts.Piece(part.make(SHOP, name, given), image)


def box(service, build):
    return containers.Container(
        id=service, name=service, project="shop", build=build, commit="c", service=service,
        status="running", address=None, restarts=0, exit_code=0, out_of_memory=False,
        health=None, started=0.0,
    )  # fmt: skip


def replaced(pieces, is_told):
    live = [piece("db"), piece("web", after=("db",))]
    serving = {"shop.db": builds.Serving("shop.db", 3, None),
               "shop.web": builds.Serving("shop.web", 7, 3)}  # fmt: skip
    boxes = [box("db", 3), box("web", 7)]
    planned = plan.steps(pieces, live, serving, boxes, is_told)
    return [step.part.service_name for step in planned if step.replaces]


def test_who_stays_the_same_runs_on():
    same = [piece("db"), piece("web", after=("db",))]

    assert replaced(same, lambda one, since: True) == []
    assert replaced([same[0], piece("web", "image-2")], lambda one, since: True) == ["web"]


@pytest.mark.parametrize(("told", "expected"), [(("shop.db", 3), ["web"]), (None, ["db", "web"])])
def test_who_has_another_secret_is_replaced(told, expected):
    same = [piece("db"), piece("web", after=("db",))]

    assert replaced(same, lambda one, since: (one.name, since) == told) == expected


def test_who_restarts_with_another_is_replaced_with_it():
    same = [piece("db"), piece("web", restarts_with=("db",))]

    assert replaced(same, lambda one, since: one.name != "shop.db") == ["db", "web"]
