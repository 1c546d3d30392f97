"""What an agent of observability is told by the build hook charm."""

import base64
import json
import lzma
import re

import ops.testing
import pytest

from tests.scenario import charms

METRICS = charms.ROOT / "src" / "build_hook" / "web" / "metrics.py"


@pytest.fixture
def told(hook, world):
    def tell(**config):
        agent = ops.testing.Relation("cos-agent", remote_app_name="agent")
        state = hook.run(hook.on.relation_created(agent), world(agent, config=config))
        return json.loads(state.get_relation(agent.id).local_unit_data["config"])

    return tell


@pytest.mark.parametrize(
    ("config", "target"),
    [
        ({}, "localhost:8080"),
        ({"port": 9090, "listen": "::"}, "localhost:9090"),
        ({"listen": "192.0.2.7"}, "192.0.2.7:8080"),
        ({"listen": "2001:db8::7"}, "[2001:db8::7]:8080"),
    ],
)
def test_where_the_metrics_are(told, config, target):
    (job,) = told(**config)["metrics_scrape_jobs"]

    assert job["metrics_path"] == "/metrics"
    assert job["static_configs"][0]["targets"] == [target]
    assert job["static_configs"][0]["labels"]["juju_unit"] == "build-hook/0"


def test_rules_are_about_this_unit(told):
    (group,) = told()["metrics_alert_rules"]["groups"]

    for rule in group["rules"]:
        assert 'juju_unit="build-hook/0"' in rule["expr"]
        assert "%%" not in rule["expr"]
        assert rule["labels"]["juju_application"] == "build-hook"
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["description"]


def test_the_dashboard_can_be_unpacked(told):
    (packed,) = told()["dashboards"]
    dashboard = json.loads(lzma.decompress(base64.b64decode(packed)))

    assert dashboard["title"] == "Docker build hook"
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_every_metric_that_is_asked_for_is_there(told):
    said = told()
    packed = lzma.decompress(base64.b64decode(said["dashboards"][0])).decode()
    asked = set(re.findall(r"build_hook_([a-z_]+)", packed + json.dumps(said)))
    there = set(re.findall(r'"([a-z_]+)"', METRICS.read_text()))

    assert len(asked) > 8
    assert asked - there == set()
