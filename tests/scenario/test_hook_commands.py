"""An event costs few hook commands, and none of them twice."""

import dataclasses

import pytest
from charms.docker_build_hook.v0 import dockerfile_testing

from tests.scenario import hook_commands
from tests.scenario.conftest import HERE

# Which relations seven endpoints have; who the other units are and what they all know; config,
# address, open ports; the status.
ALWAYS = 13
# Its units, their and its application's databag, our own, our application's, the secret twice.
OF_A_PROJECT = 7


@pytest.fixture
def asked(monkeypatch):
    return hook_commands.Asked(monkeypatch)


def projects(count):
    return [
        dockerfile_testing.relation_for_build_hook(
            app=f"shop{number}", machine=HERE, ports=[{"target": 80, "published": 9000 + number}]
        )
        for number in range(count)
    ]


@pytest.fixture
def settled(hook, world, asked):
    def run(count, kind="config_changed", **facts):
        state = hook.run(hook.on.config_changed(), world(*projects(count)))
        state = dataclasses.replace(state, **facts)
        asked.clear()
        hook.run(getattr(hook.on, kind)(), state)
        return asked

    return run


@pytest.mark.parametrize("count", [0, 1, 2, 5])
@pytest.mark.parametrize("kind", ["config_changed", "update_status", "start"])
def test_an_event_that_changes_nothing(settled, count, kind):
    asked = settled(count, kind)

    assert len(asked) <= ALWAYS + OF_A_PROJECT * count
    assert asked.twice() == set()


def test_who_does_not_lead_asks_less(settled):
    asked = settled(3, leader=False)

    assert len(asked) <= ALWAYS + (OF_A_PROJECT - 1) * 3
    assert asked.twice() == set()


def test_a_project_that_changes(hook, world, asked):
    before = projects(3)
    state = hook.run(hook.on.config_changed(), world(*before))
    relation = state.get_relation(before[0].id)
    said = {**relation.remote_app_data, "ports": '[{"target": 80, "published": 9009}]'}
    changed = dataclasses.replace(relation, remote_app_data=said)
    others = [each for each in state.relations if each.id != relation.id]
    asked.clear()

    hook.run(
        hook.on.relation_changed(changed, remote_unit=0),
        dataclasses.replace(state, relations=[changed, *others]),
    )

    closed_and_opened = 2
    assert len(asked) <= ALWAYS + OF_A_PROJECT * 3 + closed_and_opened
    assert asked.twice() == set()
