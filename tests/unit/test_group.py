"""What a deploy of a compose project does with secrets, before anything is started."""

import types
from typing import Any, cast

import pytest

from build_hook import part, project, secret_files, settings
from build_hook.deploy import confided, containers
from build_hook.deploy.ensemble import group
from build_hook.store import builds, parts

SHOP = project.Project.model_validate(
    {"name": "shop", "repository": "https://h/shop.git", "compose": {}}
)
DB = part.make(SHOP, "db", {"secrets": ["key"]})
MIGRATE = part.make(SHOP, "migrate", {"env_file": ["key"], "ends": True})


@pytest.fixture
def config(tmp_path):
    made = settings.load(tmp_path / "state", {})
    secret_files.write(made.secrets / "key", b"A=first\n")
    return made


@pytest.fixture
def planned(config, store):
    """Builds 1 and 2 of the same images, the first of which serves; plans another one's steps."""
    known = parts.Parts(config.database)
    kept = confided.Confided(config)
    for _ in (1, 2, 3):
        build = store.add(builds.Request("shop", "refs/heads/main", builds.Cause.PUSH))
        known.put(build.id, [parts.Piece(MIGRATE, "image"), parts.Piece(DB, "image")])
    for unit in (DB, MIGRATE):
        kept.keep(unit, 1, None, print)
    store.set_serving("shop.db", 1, None)
    store.set_serving("shop", 1, None)
    box = containers.Container(
        id="db", name="db", project="shop", build=1, commit="c", service="db", status="running",
        address=None, restarts=0, exit_code=0, out_of_memory=False, health=None, started=0.0,
    )  # fmt: skip
    boxes = types.SimpleNamespace(all=lambda name: [box])
    nobody = cast("Any", None)
    made = cast("Any", group.Ensemble(config, nobody, cast("Any", boxes), store, nobody))

    def plan(build, source=None):
        of = types.SimpleNamespace(
            build=types.SimpleNamespace(id=build, source=source), project=SHOP, log=print
        )
        steps = made._plan(of, store.serving()["shop"])
        return [step.part.service_name for step in steps if step.replaces]

    yield plan
    known.close()


def test_deploy_brings_a_secret_that_has_changed(config, planned):
    secret_files.write(config.secrets / "key", b"A=second\n")

    assert planned(2) == ["db"]


def test_roll_back_leaves_who_has_the_secrets_of_its_build(config, planned):
    secret_files.write(config.secrets / "key", b"A=second\n")

    assert planned(2, source=1) == []


def test_build_has_the_secrets_of_those_that_it_leaves(config, planned):
    assert planned(2) == []

    for unit in ("shop.db", "shop.migrate"):
        assert (config.confided / unit / "2/values/key").read_text() == "A=first\n"
