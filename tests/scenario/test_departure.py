"""Who leaves: of a project the secret goes, of a unit that leads nothing does."""

import dataclasses
import json
import pathlib

import ops
import ops.testing
import pytest
from charms.docker_build_hook.v0 import dockerfile_testing
from scenario import _runtime

from tests.scenario.conftest import HERE

PEER = 1


@pytest.fixture
def shop():
    return dockerfile_testing.relation_for_build_hook(app="shop", machine=HERE)


@pytest.fixture
def led(hook, world, shop):
    """Two units; the one at hand leads and has made the secret of a project."""
    peers = ops.testing.PeerRelation("peers", peers_data={PEER: {}})
    state = world(shop)
    others = [each for each in state.relations if each.endpoint != "peers"]
    state = dataclasses.replace(state, relations=[*others, peers])
    return hook.run(hook.on.relation_changed(shop, remote_unit=0), state)


@pytest.fixture
def goes(hook, monkeypatch):
    """This unit departs from a relation; the runner itself has only remote units depart."""
    environment = _runtime.Runtime._get_event_env

    def told(self, state, event, charm_root):
        said = environment(self, state, event, charm_root)
        return {**said, "JUJU_DEPARTING_UNIT": "build-hook/0"}

    def depart(state, relation):
        unit = PEER if relation.endpoint == "peers" else 0
        with monkeypatch.context() as patch:
            patch.setattr(_runtime.Runtime, "_get_event_env", told)
            return hook.run(hook.on.relation_departed(relation, remote_unit=unit), state)

    return depart


def known(state):
    (peers,) = state.get_relations("peers")
    return {each["app"] for each in json.loads(peers.local_app_data.get("secrets", "[]"))}


def one(state, endpoint):
    return state.get_relations(endpoint)[0]


def without(state, relation):
    return dataclasses.replace(
        state, relations=[each for each in state.relations if each.id != relation.id]
    )


def breaks(hook, state, relation):
    """As Juju does it: in the hook it is still there, afterwards it is not."""
    state = hook.run(hook.on.relation_broken(state.get_relation(relation.id)), state)
    return without(state, relation)


@pytest.mark.parametrize("first", ["docker-host", "peers", "project"])
def test_a_leader_that_leaves_takes_no_secret_along(hook, led, goes, shop, first):
    state = breaks(hook, goes(led, one(led, first)), shop)

    state = hook.run(hook.on.update_status(), state)

    assert known(state) == {"shop"}
    assert [secret.latest_content.keys() for secret in state.secrets] == [{"webhook-secret"}]


def test_nor_where_a_relation_breaks_before_it_is_told(hook, led, goes, shop):
    state = breaks(hook, led, shop)
    state = goes(state, one(state, "docker-host"))

    state = hook.run(hook.on.update_status(), state)

    assert known(state) == {"shop"}
    assert len(state.secrets) == 1


def test_a_leader_that_leaves_makes_no_secret(hook, led, goes):
    state = goes(led, one(led, "docker-host"))
    other = dockerfile_testing.relation_for_build_hook(app="blog", machine=HERE)
    state = dataclasses.replace(state, relations=[*state.relations, other])

    state = hook.run(hook.on.relation_changed(other, remote_unit=0), state)

    assert known(state) == {"shop"}


def test_a_project_that_leaves_takes_its_secret_along(hook, led, shop):
    departed = hook.on.relation_departed(led.get_relation(shop.id), remote_unit=0)
    state = hook.run(departed, led)
    state = breaks(hook, state, shop)

    state = hook.run(hook.on.update_status(), state)

    assert known(state) == set()
    assert list(state.secrets) == []


def test_a_secret_that_somebody_removed_is_made_anew_and_granted(hook, led, shop, machine):
    (was,) = led.secrets
    state = dataclasses.replace(led, secrets=[])

    state = hook.run(hook.on.update_status(), state)

    (secret,) = state.secrets
    assert secret.id != was.id
    assert secret.remote_grants == {shop.id: {"shop"}}
    said = state.get_relation(shop.id).local_app_data["secret_id"]
    assert json.loads(said) == secret.id
    (file,) = pathlib.Path(machine.folder, "state/secrets").iterdir()
    assert file.read_text() == secret.latest_content["webhook-secret"]


def test_a_unit_that_does_not_lead_waits_for_it(hook, led):
    state = dataclasses.replace(led, secrets=[], leader=False)

    state = hook.run(hook.on.update_status(), state)

    assert isinstance(state.unit_status, ops.ActiveStatus)


def test_a_removed_secret_of_a_project_that_is_gone_is_no_error(hook, led, shop):
    state = dataclasses.replace(without(led, shop), secrets=[])

    state = hook.run(hook.on.update_status(), state)

    assert known(state) == set()


def test_a_revision_that_nobody_reads_goes(hook, led):
    (secret,) = led.secrets
    for number in ("_latest_revision", "_tracked_revision"):
        object.__setattr__(secret, number, 2)  # the runner lets nobody say so

    hook.run(hook.on.secret_remove(secret, revision=1), led)

    assert hook.removed_secret_revisions == [1]
