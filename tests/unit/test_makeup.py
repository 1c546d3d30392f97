"""The services of a compose project, wherever a project is shown."""

import json

import click.testing
import pytest

from build_hook import cli, makeup, part, project
from build_hook.deploy import inspection, lookout, sightings
from build_hook.store import builds, parts
from tests import world as worlds

SHOP = project.Project.model_validate(
    {
        "name": "shop",
        "repository": "https://git.example/shop.git",
        "compose": {
            "services": {
                "web": {"ports": [{"target": 8000, "published": 8080, "hosts": ["a.org"]}]}
            }
        },
    }
)
ONE, TWO = "1" * 40, "2" * 40


@pytest.fixture
def world(tmp_path):
    made = worlds.World(tmp_path / "state")
    made.register(SHOP)
    return made


@pytest.fixture
def store(world):
    """Build 2 serves and has replaced ``web`` only; ``db`` runs on from build 1."""
    made = builds.Builds(world.options.database)
    known = parts.Parts(world.options.database)
    for commit in (ONE, TWO):
        build = made.add(builds.Request("shop", "refs/heads/main", builds.Cause.PUSH, commit))
        pieces = [
            parts.Piece(part.make(SHOP, "db", {}), "sha256:db"),
            parts.Piece(part.make(SHOP, "move", {"ends": True}), "sha256:move"),
            parts.Piece(part.make(SHOP, "web", {}), f"sha256:web{build.id}"),
        ]
        known.put(build.id, pieces)
        made.enter(build.id, builds.Phase.LIVE)
    made.set_serving("shop.db", 1, None)
    made.set_serving("shop.web", 2, 1)
    made.set_serving("shop", 2, 1)
    seen = {
        "shop.db": (sightings.Sighting(id="d" * 64, name="shop.db-1", status="running"),),
        "shop.web": tuple(
            sightings.Sighting(
                id=f"{n}" * 64, name=f"shop.web-{n}", replica=n, status="running", health=health
            )
            for n, health in ((1, "healthy"), (2, "starting"))
        ),
    }
    sightings.write(world.options.run, seen)
    yield made
    known.close()
    made.close()


def run(world, *arguments):
    result = click.testing.CliRunner().invoke(
        cli.group, ["--state", str(world.options.state), *arguments], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.output


def test_each_service_has_the_commit_of_its_own_containers(world, store):
    db, move, web = makeup.of_project("shop", store, sightings.read(world.options.run))

    assert (db.build, db.commit, db.condition) == (1, ONE, "running")
    assert (move.build, move.condition) == (None, "runs to its end")
    assert (web.build, web.commit) == (2, TWO)
    assert web.condition == "running, healthy; running, starting"


def test_a_service_without_a_container_is_told(world, store):
    (db, *_) = makeup.of_project("shop", store, {})

    assert db.condition == "no container"


def test_earlier_build_shows_its_images_and_nothing_that_runs(world, store):
    services = makeup.of_build(store.get(1), store, sightings.read(world.options.run))

    assert [one.image for one in services] == ["sha256:db", "sha256:move", "sha256:web1"]
    assert {(one.build, one.containers) for one in services} == {(None, ())}


def test_command_line_lists_them_below_their_project(world, store):
    (row,) = json.loads(run(world, "projects", "--json"))["projects"]
    assert (row["ports"], row["hosts"]) == ([8080], ["a.org"])
    assert [one["name"] for one in row["services"]] == ["db", "move", "web"]
    assert row["services"][2]["containers"][1]["health"] == "starting"

    lines = run(world, "projects").splitlines()
    assert next(line for line in lines if line.startswith("  web")).split() == [
        "web", "2", TWO[:10], "running,", "healthy;", "running,", "starting",
    ]  # fmt: skip


def test_command_line_shows_where_each_runs(world, store):
    found = json.loads(run(world, "show", "2", "--json"))
    assert [(one["name"], one["build"]) for one in found["services"]] == [
        ("db", 1), ("move", None), ("web", 2),
    ]  # fmt: skip

    text = run(world, "show", "shop")
    assert f"web: build 2, {TWO[:10]}, running, healthy; running, starting" in text
    assert "d" * 12 in text


def test_api_tells_them_with_project_and_build(world, store):
    reads = world.token("read")

    of, build = world.call(
        worlds.get("/api/v1/projects/shop", **reads), worlds.get("/api/v1/builds/1", **reads)
    )

    assert of.json["ports"] == [8080]
    assert [one["commit"] for one in of.json["services"]] == [ONE, None, TWO]
    assert of.json["services"][2]["containers"][0]["health"] == "healthy"
    assert [one["build"] for one in build.json["services"]] == [None] * 3


def test_front_page_tells_them_to_who_has_a_token(world, store):
    anybody = world.get("/")
    reader = world.get("/", **world.token("read"))
    liar = world.get("/", Authorization="Bearer bh_wrong")

    (hook,) = anybody.json["hooks"]
    assert "services" not in hook
    (told,) = reader.json["hooks"]
    assert told.items() > hook.items()
    assert [one["condition"] for one in told["services"]] == [
        "running", "runs to its end", "running, healthy; running, starting",
    ]  # fmt: skip
    assert liar.status_code == 401


class Engine:
    def __init__(self, *boxes):
        self.boxes = boxes

    def roll_call(self):
        return list(self.boxes)


def box(unit, build, text="Up 3 minutes"):
    name, _, service = unit.partition(".")
    entry = {
        "Id": f"{build}" * 64,
        "Names": [f"/{unit}-{build}"],
        "State": "running",
        "Status": text,
        "Created": 0,
        "Labels": {
            "io.build-hook.project": name,
            "io.build-hook.service": service,
            "io.build-hook.build": str(build),
        },
        "NetworkSettings": {"Networks": {}},
    }
    return inspection.listed(entry, "net")


@pytest.mark.parametrize(
    ("text", "health"),
    [
        ("Up 3 minutes", None),
        ("Up 2 seconds (health: starting)", "starting"),
        ("Up About an hour (unhealthy)", "unhealthy"),
        ("Up 5 days (healthy)", "healthy"),
        ("Exited (1) 2 minutes ago", None),
    ],
)
def test_health_is_read_from_the_engine_s_list(text, health):
    assert box("shop", 1, text).health == health


def test_only_what_serves_is_noted_and_only_when_it_changes(world, store):
    engine = Engine(box("shop.web", 2, "Up 1 second (healthy)"), box("shop.web", 1), box("x", 9))
    watch = lookout.Lookout(world.options.run, store, engine)  # type: ignore[arg-type]
    file = world.options.run / "containers.json"

    watch.look()
    first = file.stat().st_ino
    watch.look()

    seen = sightings.read(world.options.run)
    assert {unit: [one.health for one in rows] for unit, rows in seen.items()} == {
        "shop.web": ["healthy"]
    }
    assert file.stat().st_ino == first
    engine.boxes = ()
    watch.look()
    assert sightings.read(world.options.run) == {}
