"""Every event of every charm once more: the second time nothing is written, told or restarted."""

import dataclasses
import json
from collections.abc import Callable

import ops.testing
import pytest
from charms.docker_build_hook.v0 import dockerfile_testing

from tests.scenario import charms
from tests.scenario.conftest import HERE, MODEL_UUID

LIFE = (
    "install", "start", "config_changed", "leader_elected", "update_status", "upgrade_charm",
    "stop", "remove",
)  # fmt: skip
RELATION = ("created", "joined", "changed", "departed", "broken")
ROLES = ("requires", "provides", "peers")


@dataclasses.dataclass
class Setting:
    """A charm in a world where all its endpoints are in use."""

    context: ops.testing.Context
    state: ops.testing.State
    changes: list[str]
    snapshot: Callable[[], object]

    def fire(self, kind: str) -> None:
        """Have the event happen once."""
        self.state = self.context.run(self._event(kind), self.state)

    def _event(self, kind):
        on = self.context.on
        if kind == "secret_changed":
            return on.secret_changed(self.state.get_secret(id="secret:two"))
        if kind in LIFE:
            return getattr(on, kind)()
        if ":" not in kind:
            return charms.custom_event(kind)
        name, _, what = kind.partition(":")
        if what.startswith("storage"):
            return getattr(on, what)(next(s for s in self.state.storages if s.name == name))
        relation = self.state.get_relations(name)[0]
        # The units' databags have no order that the runner could choose one by.
        one = {"remote_unit": 0} if what in ("joined", "changed", "departed") else {}
        return getattr(on, f"relation_{what}")(relation, **one)


def kinds(charm: str) -> list[str]:
    """Every event that the charm's metadata makes possible."""
    spec = charms.metadata(charm)
    found = [*LIFE, *charms.custom_events(charm)]
    for role in ROLES:
        for name in spec.get(role, {}):
            found += [f"{name}:{what}" for what in RELATION]
    for name in spec.get("storage", {}):
        found += [f"{name}:storage_attached", f"{name}:storage_detaching"]
    return found


def endpoints(charm: str, *given: ops.testing.RelationBase) -> list[ops.testing.RelationBase]:
    """A relation for every endpoint that has none among those given."""
    spec, there = charms.metadata(charm), {relation.endpoint for relation in given}
    found = list(given)
    for role in ROLES:
        for name, body in spec.get(role, {}).items():
            if name in there:
                continue
            if role == "peers":
                found.append(ops.testing.PeerRelation(name, peers_data={0: {}}))
            elif body.get("scope") == "container":
                found.append(ops.testing.SubordinateRelation(name, remote_app_name=f"a-{name}"))
            else:
                found.append(ops.testing.Relation(name, remote_app_name=f"a-{name}"))
    return found


@pytest.fixture
def build_hook(hook, machine):
    project = dockerfile_testing.relation_for_build_hook(
        app="docker-selfoss", machine=HERE, ports=[{"target": 80, "published": 9000}]
    )
    entries = [{"app": "docker-selfoss", "id": "secret:one", "revision": 1}]
    peers = ops.testing.PeerRelation(
        "peers", local_app_data={"secrets": json.dumps(entries)}, peers_data={1: {}}
    )
    state = ops.testing.State(
        leader=True,
        model=ops.testing.Model(uuid=MODEL_UUID),
        relations=endpoints("docker-build-hook", project, peers),
        secrets=[
            ops.testing.Secret({"webhook-secret": "s3cret"}, id="secret:one", owner="app"),
            ops.testing.Secret({"environment": "A=b"}, id="secret:two"),
        ],
    )
    return Setting(hook, state, machine.changes, machine.snapshot)


@pytest.fixture
def docker_host(docker, host, tmp_path):
    state = ops.testing.State(
        leader=True,
        config={"mtu": 1400},
        relations=endpoints("docker"),
        storages=[ops.testing.Storage("data")],
    )
    return Setting(docker, state, host.changes, lambda: host.snapshot(tmp_path))


@pytest.fixture
def project(selfoss):
    state = ops.testing.State(
        leader=True,
        model=ops.testing.Model(uuid=MODEL_UUID),
        config={"repository": "https://git.example.com/chuck/docker-selfoss.git"},
        relations=endpoints("dockerfile", dockerfile_testing.relation_for_project(machine=HERE)),
    )
    return Setting(selfoss, state, [], lambda: None)


def twice(setting: Setting, kind: str) -> None:
    setting.fire("config_changed")
    setting.fire(kind)
    before, files = setting.state, setting.snapshot()
    setting.changes.clear()

    setting.fire(kind)

    assert setting.changes == []
    assert setting.snapshot() == files
    after = setting.state
    for part in ("relations", "secrets", "opened_ports", "unit_status", "workload_version"):
        assert getattr(after, part) == getattr(before, part), part


@pytest.mark.parametrize("kind", [*kinds("docker-build-hook"), "secret_changed"])
def test_build_hook(build_hook, kind):
    twice(build_hook, kind)


@pytest.mark.parametrize("kind", kinds("docker"))
def test_docker(docker_host, kind):
    twice(docker_host, kind)


@pytest.mark.parametrize("kind", kinds("dockerfile"))
def test_dockerfile(project, kind):
    twice(project, kind)
