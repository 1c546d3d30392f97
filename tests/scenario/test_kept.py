"""A project whose relation goes: its container is stopped, or kept, as on-removal says."""

import dataclasses
import json

import ops
import ops.testing
import pytest
from charms.docker_build_hook.v0 import dockerfile_testing

import build_hook.errors
from build_hook.store import builds
from tests.scenario.conftest import HERE

KEEP = {"on-removal": "keep"}


def project(app="shop", published=9000, **fields):
    return dockerfile_testing.relation_for_build_hook(
        app=app,
        machine=HERE,
        repository=f"https://git.example.com/{app}.git",
        ports=[{"target": 80, "published": published}],
        **fields,
    )


def entries(machine):
    return json.loads((machine.folder / "state" / "registry.json").read_text()).get("projects", [])


@pytest.fixture
def left(hook, world, history):
    """The state once the relation of a project that serves is gone."""

    def leave(config, *others, serves=True):
        shop = project()
        state = hook.run(hook.on.relation_changed(shop), world(shop, *others, config=config))
        if serves:
            history.live("shop", "c" * 40)
        state = hook.run(hook.on.relation_broken(state.get_relation(shop.id)), state)
        rest = [each for each in state.relations if each.id != shop.id]
        return dataclasses.replace(state, relations=rest)

    return leave


def test_stopped_by_default(left, machine):
    state = left({})

    assert entries(machine) == []
    assert ops.testing.TCPPort(9000) not in state.opened_ports


def test_kept_on_request(left, machine):
    state = left(KEEP)

    (entry,) = entries(machine)
    assert (entry["name"], entry["kept"]) == ("shop", True)
    assert "webhook_secrets" not in entry
    assert ops.testing.TCPPort(9000) in state.opened_ports
    assert state.unit_status == ops.ActiveStatus(
        "No projects: relate an application to the project endpoint; kept: shop"
    )


def test_stays_kept_whatever_happens(hook, left, machine):
    state = left(KEEP)
    before = entries(machine)

    for event in (hook.on.update_status(), hook.on.config_changed(), hook.on.upgrade_charm()):
        state = hook.run(event, state)

    assert entries(machine) == before


def test_what_serves_nothing_is_not_kept(left, machine):
    left(KEEP, serves=False)

    assert entries(machine) == []


def test_in_doubt_nothing_is_stopped(left, hook, machine, monkeypatch):
    state = left(KEEP)

    def fail(*_, **__):
        raise build_hook.errors.StoreError("busy")

    monkeypatch.setattr(builds, "Builds", fail)

    hook.run(hook.on.update_status(), state)

    assert [entry["name"] for entry in entries(machine)] == ["shop"]


def test_stopped_once_the_option_says_so(hook, left, machine):
    state = left(KEEP)

    hook.run(hook.on.config_changed(), dataclasses.replace(state, config={}))

    assert entries(machine) == []


def test_taken_over_when_it_is_related_again(hook, left, machine):
    state, shop = left(KEEP), project()

    state = hook.run(
        hook.on.relation_changed(shop),
        dataclasses.replace(state, relations=[*state.relations, shop]),
    )

    (entry,) = entries(machine)
    assert "kept" not in entry
    assert state.unit_status == ops.ActiveStatus("1 registered: shop")


def test_stays_kept_until_who_is_related_again_has_said_what_it_wants(hook, left, machine):
    state, before = left(KEEP), entries(machine)
    where = {"private-address": "10.0.0.1"}  # all that is there when it joins
    shop = ops.testing.Relation(
        "project", remote_app_name="shop", local_unit_data=where, remote_units_data={0: where}
    )
    state = dataclasses.replace(state, relations=[*state.relations, shop])

    state = hook.run(hook.on.relation_created(shop), state)
    assert entries(machine) == before
    hook.run(hook.on.relation_joined(state.get_relation(shop.id), remote_unit=0), state)
    assert entries(machine) == before


def test_nobody_else_gets_its_port(hook, left, machine):
    state, other = left(KEEP), project("blog")

    state = hook.run(
        hook.on.relation_changed(other),
        dataclasses.replace(state, relations=[*state.relations, other]),
    )

    assert [entry["name"] for entry in entries(machine)] == ["shop"]
    assert state.unit_status == ops.BlockedStatus(
        "blog: shop and blog both publish port 9000 without hosts: give all but one of them host "
        "names, or another port"
    )


def test_its_environment_stays_on_the_machine(hook, world, history, machine):
    secret = ops.testing.Secret({"environment": "A=b"}, id="secret:env")
    shop = project(environment_secret="secret:env")
    state = world(shop, config=KEEP, secrets=[secret])
    state = hook.run(hook.on.relation_changed(shop), state)
    history.live("shop", "c" * 40)

    hook.run(hook.on.relation_broken(state.get_relation(shop.id)), state)

    names = {path.name for path in (machine.folder / "state" / "secrets").iterdir()}
    assert names == {"hook.shop.env"}


def test_a_wrong_value_is_refused_with_the_fix(hook, world):
    state = hook.run(hook.on.config_changed(), world(config={"on-removal": "burn"}))

    assert state.unit_status == ops.BlockedStatus(
        "Config on-removal: Input should be 'stop' or 'keep'. "
        "Use: juju config build-hook on-removal=VALUE"
    )
