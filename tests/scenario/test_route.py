"""The haproxy-route relation of the build hook."""

import dataclasses
import json

import ops.testing
import pytest
from charms.docker_build_hook.v0 import dockerfile_testing

from tests.scenario.conftest import HERE

URL = "https://hooks.example.com/"


def relation(endpoints=None, **unit):
    said = {} if endpoints is None else {"endpoints": json.dumps(endpoints)}
    return ops.testing.Relation(
        "haproxy-route",
        remote_app_name="haproxy",
        remote_app_data=said,
        remote_units_data={0: {"ingress-address": "192.0.2.9", **unit}},
    )


def project():
    return dockerfile_testing.relation_for_build_hook(app="shop", machine=HERE)


def webhook(state, shop):
    return json.loads(state.get_relation(shop.id).local_unit_data["webhook_url"])


def test_what_the_proxy_is_told(hook, world):
    route = relation()
    config = {"port": 9090, "public-url": "https://hooks.example.com"}

    state = hook.run(hook.on.relation_created(route), world(route, config=config))

    found = state.get_relation(route.id)
    said = {key: json.loads(text) for key, text in found.local_app_data.items()}
    assert said == {
        "service": f"{state.model.name}-build-hook",
        "ports": [9090],
        "check": {"interval": 10, "rise": 2, "fall": 3, "path": "/healthz"},
        "hostname": "hooks.example.com",
    }
    assert json.loads(found.local_unit_data["address"]) == "192.0.2.0"


@pytest.mark.parametrize("url", ["", "https://192.0.2.7", "https://[2001:db8::7]:8443/x"])
def test_an_address_is_no_host_name(hook, world, url):
    route = relation()

    state = hook.run(hook.on.relation_created(route), world(route, config={"public-url": url}))

    assert "hostname" not in state.get_relation(route.id).local_app_data


def test_only_the_leader_speaks_for_the_application(hook, world):
    route = relation()

    state = hook.run(hook.on.relation_created(route), world(route, leader=False))

    assert state.get_relation(route.id).local_app_data == {}
    assert "address" in state.get_relation(route.id).local_unit_data


@pytest.mark.parametrize(
    ("endpoints", "units", "config", "url"),
    [
        ([URL], 1, {}, "https://hooks.example.com/hooks/shop"),
        ([URL], 1, {"public-url": "https://mine.example"}, "https://mine.example/hooks/shop"),
        ([URL], 2, {}, "http://192.0.2.0:8080/hooks/shop"),
        ([], 1, {}, "http://192.0.2.0:8080/hooks/shop"),
        (None, 1, {}, "http://192.0.2.0:8080/hooks/shop"),
    ],
)
def test_projects_are_told_the_way_through_it(hook, world, endpoints, units, config, url):
    route, shop = relation(endpoints), project()

    state = hook.run(
        hook.on.relation_changed(route), world(route, shop, config=config, planned_units=units)
    )

    assert webhook(state, shop) == url


def test_a_databag_that_is_no_json_counts_as_empty(hook, world):
    shop = project()
    route = dataclasses.replace(relation(), remote_app_data={"endpoints": "{"})

    state = hook.run(hook.on.relation_changed(route), world(route, shop))

    assert webhook(state, shop) == "http://192.0.2.0:8080/hooks/shop"


def test_its_units_are_believed_besides_those_of_the_operator(hook, world, machine):
    route = relation([URL], **{"private-address": "not an address"})

    hook.run(
        hook.on.relation_changed(route), world(route, config={"trusted-proxies": "10.0.0.0/8"})
    )

    text = (machine.folder / "systemd" / "build-hook-web.service").read_text()
    assert 'BUILD_HOOK_TRUSTED_PROXIES=10.0.0.0/8,192.0.2.9/32"' in text
    assert "BUILD_HOOK_PUBLIC_URL=https://hooks.example.com/" in text
