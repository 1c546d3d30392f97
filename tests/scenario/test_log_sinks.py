"""The logging relation of the build hook: where logs go, and the process that ships them."""

import dataclasses
import json

import ops
import ops.testing
import pytest

SHIP = "build-hook-ship.service"
LOKI = "http://192.0.2.9:3100/loki/api/v1/push"


def relation(*urls, app="loki"):
    units = {n: {"endpoint": json.dumps({"url": url})} for n, url in enumerate(urls)}
    return ops.testing.Relation("logging", remote_app_name=app, remote_units_data=units)


def text(machine, unit=SHIP):
    return (machine.folder / "systemd" / unit).read_text()


def run(hook, state, sink, kind="changed"):
    event = getattr(hook.on, f"relation_{kind}")
    extra = {"remote_unit": 0} if kind == "changed" else {}
    return hook.run(event(sink, **extra), state)


def test_logs_are_shipped_to_every_unit(hook, world, machine):
    sink, other = relation(LOKI, "https://two.example/push"), relation(LOKI, app="another")

    run(hook, world(sink, other), sink)

    assert SHIP in machine.units
    assert SHIP in machine.enabled
    assert f'LOKI_URLS={LOKI},https://two.example/push"' in text(machine)
    assert "juju_application=build-hook,juju_charm=docker-build-hook" in text(machine)
    assert "juju_unit=build-hook/0" in text(machine)


def test_it_has_the_journal_and_neither_docker_nor_capabilities(hook, world, machine):
    sink = relation(LOKI)

    run(hook, world(sink), sink)

    said = text(machine)
    assert "SupplementaryGroups=systemd-journal\n" in said
    assert "CapabilityBoundingSet=\n" in said
    assert "InaccessiblePaths=-/run/docker.sock" in said
    assert "User=build-hook\n" in said


def test_without_a_relation_nobody_ships(hook, world, machine):
    hook.run(hook.on.start(), world())

    assert SHIP not in machine.units
    assert not (machine.folder / "systemd" / SHIP).exists()


def test_an_address_of_the_operator_is_joined(hook, world, machine):
    sink = relation(LOKI)
    mine = "http://mine.example/push"

    run(hook, world(sink, config={"loki-urls": mine}), sink)

    assert f'LOKI_URLS={mine},{LOKI}"' in text(machine)


def test_an_address_of_the_operator_is_enough(hook, world, machine):
    hook.run(hook.on.start(), world(config={"loki-urls": LOKI}))

    assert SHIP in machine.units


def test_the_end_of_the_relation_ends_it(hook, world, machine):
    sink = relation(LOKI)
    state = run(hook, world(sink), sink)

    state = run(hook, state, state.get_relation(sink.id), "broken")

    assert SHIP not in machine.units
    assert SHIP not in machine.enabled
    assert not (machine.folder / "systemd" / SHIP).exists()
    assert isinstance(state.unit_status, ops.ActiveStatus)


def test_what_is_removed_takes_it_along(hook, world, machine):
    sink = relation(LOKI)
    state = run(hook, world(sink), sink)

    hook.run(hook.on.remove(), state)

    assert machine.units == set()
    assert list((machine.folder / "systemd").iterdir()) == []


def test_one_that_fell_is_named(hook, world, machine):
    sink = relation(LOKI)
    state = run(hook, world(sink), sink)
    machine.units.discard(SHIP)
    machine.crashed.add(SHIP)

    state = hook.run(hook.on.update_status(), state)

    assert state.unit_status == ops.BlockedStatus(f"{SHIP} does not run: see journalctl -u {SHIP}")


@pytest.mark.parametrize("endpoint", ["", "{", "[]", '{"url": 1}', '{"url": "file:///x"}'])
def test_what_is_no_address_counts_as_none(hook, world, machine, endpoint):
    sink = dataclasses.replace(relation(LOKI), remote_units_data={0: {"endpoint": endpoint}})

    run(hook, world(sink), sink)

    assert SHIP not in machine.units


def test_the_other_side_is_told_whose_logs_they_are(hook, world):
    sink = relation(LOKI)

    state = run(hook, world(sink), sink)

    bag = state.get_relation(sink.id).local_app_data
    assert json.loads(bag["metadata"]) == {
        "model": state.model.name,
        "model_uuid": state.model.uuid,
        "application": "build-hook",
        "unit": "build-hook/0",
        "charm_name": "docker-build-hook",
    }
    assert bag["alert_rules"] == "{}"


def test_only_the_leader_tells(hook, world):
    sink = relation(LOKI)

    state = run(hook, world(sink, leader=False), sink)

    assert state.get_relation(sink.id).local_app_data == {}


def test_a_wrong_address_of_the_operator_is_named(hook, world):
    state = hook.run(hook.on.config_changed(), world(config={"loki-urls": "loki:3100"}))

    assert state.unit_status.message.startswith("Config loki-urls: String should match pattern")
