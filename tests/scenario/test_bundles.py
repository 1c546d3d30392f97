"""The bundles deploy, as far as Juju's verifier would say; and the checker finds faults."""

import copy

import pytest

from tests.scenario import charms
from tools import bundles

FOLDER = charms.ROOT / "bundles"
CHARMS = {f"../dist/{name}_amd64.charm": path for name, path in charms.FOLDERS.items()}
CHARMS |= {path.name: path for path in (charms.ROOT / "tests" / "data" / "store").iterdir()}
BUNDLES = sorted(FOLDER.glob("*.yaml"))
OVERLAYS = sorted((FOLDER / "overlays").glob("*.yaml"))


@pytest.fixture
def article():
    return bundles.load(FOLDER / "bundle.yaml")


@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.name)
def test_bundle_deploys(path):
    assert bundles.faults(bundles.load(path), CHARMS) == []


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)
@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.name)
def test_bundle_deploys_with_overlay(path, overlay):
    assert bundles.faults(bundles.load(path, overlay), CHARMS) == []


def test_the_articles_names(article):
    assert list(article["applications"]) == [
        "docker",
        "build-hook",
        "docker-selfoss",
        "docker-mumble",
    ]


def test_what_the_article_types_is_valid(article):
    article["applications"]["dockerfile"] = {"charm": "../dist/dockerfile_amd64.charm"}

    assert bundles.relate(article, CHARMS, "dockerfile:project", "build-hook") == (
        "dockerfile:project",
        "build-hook:project",
    )
    assert bundles.relate(article, CHARMS, "build-hook:docker-host", "docker") == (
        "build-hook:docker-host",
        "docker:juju-info",
    )


def test_bases_and_constraints_that_juju_takes(article):
    article["applications"]["docker"] |= {
        "base": "ubuntu@22.04",
        "constraints": "mem=4G cores=2 root-disk=40.5G arch=amd64 tags=a,b zones=",
    }

    assert bundles.faults(article, CHARMS) == []


@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.name)
def test_mumble_is_reached_by_voice_too(path):
    mumble = bundles.load(path)["applications"]["docker-mumble"]

    assert mumble["options"]["ports"] == "64738:64738/tcp 64738:64738/udp"


def test_overlay_removes_an_application_with_its_relations(article):
    merged = bundles.merge(article, {"applications": {"docker-mumble": None}})

    assert "docker-mumble" not in merged["applications"]
    assert ["docker-mumble:project", "build-hook:project"] not in merged["relations"]
    assert len(merged["relations"]) == 2


def test_overlay_adds_to_the_options(article):
    merged = bundles.merge(
        article, {"applications": {"docker-selfoss": {"options": {"ref": "main"}}}}
    )

    options = merged["applications"]["docker-selfoss"]["options"]
    assert options["ref"] == "main"
    assert options["ports"] == "9000:80"


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        (["applications"], {}, "at least one application"),
        (["applications", "docker", "charm"], "./gone.charm", "does not exist: ./gone.charm"),
        (["applications", "docker", "num_units"], -1, "negative number of units"),
        (["applications", "build-hook", "num_units"], 1, "is subordinate and has a num_units"),
        (["applications", "build-hook", "to"], ["0"], "is subordinate and has a placement"),
        (["machines", "x"], {}, "invalid machine id x"),
        (["machines", "7"], {}, "machine 7 is not referred to"),
        (["applications", "docker", "to"], ["0", "0"], "too many units placed"),
        (["applications", "docker", "to"], ["9"], "refers to a machine not defined"),
        (["applications", "docker-selfoss", "to"], ["web/0"], "application not defined"),
        (["applications", "docker-selfoss", "to"], ["docker/1"], "a unit greater than"),
        (["applications", "docker-selfoss", "to"], ["docker/x"], "has an invalid unit"),
        (["default-base"], "24.04", "base 24.04 is not OS@VERSION"),
        (["default-base"], "ubuntu@24.04/daily", "is not OS@VERSION"),
        (["applications", "docker", "base"], "ubuntu@noble", "(application docker)"),
        (["machines", "0"], {"base": "ubuntu@"}, "(machine 0)"),
        (["machines", "0"], {"constraints": "cores=many"}, "bad constraint cores=many"),
        (["applications", "docker", "constraints"], "mem=4X", "bad constraint mem=4X"),
        (["applications", "docker", "constraints"], "memory=4G", "unknown constraint memory"),
        (["applications", "docker", "constraints"], "mem", "malformed constraint mem"),
        (["applications", "docker", "constraints"], "mem=1 mem=2", "mem is set twice"),
        (["applications", "docker", "constraints"], 4, "are not a text"),
        (["applications", "docker-selfoss", "options", "colour"], 1, "has no option colour"),
        (["applications", "docker-selfoss", "options", "watch"], "1", "must be a float"),
        (["applications", "docker", "options"], {"mtu": True}, "must be a int"),
        (["relations"], [["docker"]], "has 1 endpoints"),
        (["relations"], [["docker", "web"]], "application web not defined"),
        (["relations"], [["docker:juju-info", "docker-selfoss"]], "no relations found"),
        (["relations"], [["docker-selfoss:project", "docker-mumble:project"]], "no relations"),
        (
            ["relations"],
            [["docker-selfoss:project", "build-hook:project"]] * 2,
            "more than once",
        ),
    ],
)
def test_fault_is_found(article, path, value, fault):
    broken = copy.deepcopy(article)
    place = broken
    for key in path[:-1]:
        place = place.setdefault(key, {})
    place[path[-1]] = value
    if path == ["applications"]:
        broken["machines"], broken["relations"] = {}, []

    found = bundles.faults(broken, CHARMS)

    assert any(fault in text for text in found), found
