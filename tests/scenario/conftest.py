"""Worlds for the charms: a machine below a temporary folder, contexts, usual states."""

import contextlib
import pathlib
from collections.abc import Callable, Iterator

import ops.testing
import pytest

from build_hook.proxy import kernel
from tests.scenario import charms, fake_engine_host, fake_history, fake_machine, fake_product

MODEL_UUID = "00000000-0000-4000-8000-000000000001"
HERE = f"{MODEL_UUID}:0"


@pytest.fixture
def machine(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> fake_machine.FakeMachine:
    charms.load("docker-build-hook")
    import config
    import machine as real
    import service
    import units

    fake = fake_machine.FakeMachine(tmp_path)
    (tmp_path / "systemd").mkdir()
    monkeypatch.setattr(config, "STATE", str(tmp_path / "state"))
    monkeypatch.setattr(units, "UNIT_FOLDER", tmp_path / "systemd")
    monkeypatch.setattr(service, "COMMAND", tmp_path / "build-hook")
    for verb in (
        "install", "has", "has_group", "ensure_user", "remove_user", "systemctl", "active",
        "failed", "listens_on", "run",
    ):  # fmt: skip
        monkeypatch.setattr(real, verb, getattr(fake, verb))
    monkeypatch.setattr(units.port_probe, "is_free", fake.is_free)
    monkeypatch.setattr(kernel, "run", fake.packet_filter)
    monkeypatch.setattr(real.pwd, "getpwnam", fake.getpwnam)
    monkeypatch.setattr(real.grp, "getgrnam", fake.getgrnam)
    return fake


@pytest.fixture
def product(monkeypatch: pytest.MonkeyPatch) -> fake_product.FakeProduct:
    charms.load("docker-build-hook")
    import product as real

    fake = fake_product.FakeProduct()
    monkeypatch.setattr(real.Product, "call", lambda _self, *args, **kw: fake.call(*args, **kw))
    return fake


@pytest.fixture
def history(machine: fake_machine.FakeMachine) -> Iterator[fake_history.History]:
    """What the worker has written so far."""
    with contextlib.closing(fake_history.History(machine.folder / "state")) as made:
        yield made


@pytest.fixture
def hook(
    machine: fake_machine.FakeMachine, product: fake_product.FakeProduct
) -> ops.testing.Context[ops.CharmBase]:
    """The build hook as subordinate of docker/0 on machine 0."""
    return ops.testing.Context(
        charms.load("docker-build-hook").DockerBuildHookCharm,
        app_name="build-hook",
        machine_id="0",
        principal_unit="docker/0",
    )


@pytest.fixture
def world() -> Callable[..., ops.testing.State]:
    """A settled leader with the given relations on top of principal and peers."""

    def build(*relations: ops.testing.RelationBase, **facts: object) -> ops.testing.State:
        base = (
            ops.testing.SubordinateRelation("docker-host", remote_app_name="docker"),
            ops.testing.PeerRelation("peers"),
        )
        defaults = {"leader": True, "model": ops.testing.Model(uuid=MODEL_UUID)}
        return ops.testing.State(relations=[*base, *relations], **{**defaults, **facts})

    return build


@pytest.fixture
def docker() -> ops.testing.Context[ops.CharmBase]:
    """The docker charm on machine 0."""
    return ops.testing.Context(
        charms.load("docker").DockerCharm, app_name="docker", machine_id="0"
    )


@pytest.fixture
def host(
    docker: object, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> fake_engine_host.FakeHost:
    """The machine below the docker charm, with an engine of the distribution that runs."""
    engine_host = charms.part("docker", "engine_host")
    fake = fake_engine_host.FakeHost()
    monkeypatch.setattr(engine_host, "run", fake.run)
    monkeypatch.setattr(engine_host, "is_running", lambda: fake.running)
    monkeypatch.setattr(engine_host, "DAEMON_FILE", tmp_path / "docker" / "daemon.json")
    monkeypatch.setattr(engine_host, "CERTIFICATES", tmp_path / "docker" / "certs.d")
    monkeypatch.setattr(engine_host, "PROXIES", tmp_path / "docker.service.d" / "proxies.conf")
    weights = tuple(
        tmp_path / f"{unit}.service.d" / "cpu-weight.conf" for unit in ("docker", "containerd")
    )
    monkeypatch.setattr(engine_host, "WEIGHTS", weights)
    monkeypatch.setattr(engine_host, "BUILD_HOOK", tmp_path / "build-hook")
    packages = charms.part("docker", "packages")
    monkeypatch.setattr(packages, "SOURCE", tmp_path / "apt" / "docker.sources")
    monkeypatch.setattr(packages, "KEY", tmp_path / "apt" / "docker.asc")
    monkeypatch.setattr(packages, "_fetched", lambda url: f"key from {url}")
    return fake


@pytest.fixture
def selfoss() -> ops.testing.Context[ops.CharmBase]:
    """A dockerfile charm on machine 0, named as in the article."""
    return ops.testing.Context(
        charms.load("dockerfile").DockerfileCharm, app_name="docker-selfoss", machine_id="0"
    )
