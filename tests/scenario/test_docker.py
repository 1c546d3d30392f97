"""The docker charm: config and network in, daemon.json and one restart at most out."""

import base64
import dataclasses
import json
import pathlib

import ops
import ops.testing
import pytest
import yaml

from tests.scenario import charms

MILD = "reload-or-restart"
BEGUN = ["daemon-reload", "reload-or-restart docker.service"]  # the weight, and daemon.json


def daemon():
    engine_host = charms.part("docker", "engine_host")

    return json.loads(engine_host.DAEMON_FILE.read_text())


def put(text):
    engine_host = charms.part("docker", "engine_host")

    engine_host.DAEMON_FILE.parent.mkdir(exist_ok=True)
    engine_host.DAEMON_FILE.write_text(text)


def weights(tmp_path):
    """What systemd is told of the engine's own processes."""
    return {
        path.parent.name: path.read_text().splitlines()[1:]
        for path in tmp_path.glob("*.service.d/cpu-weight.conf")
    }


def state(*relations, **config):
    options = {key.replace("_", "-"): value for key, value in config.items()}
    return ops.testing.State(config=options, relations=relations)


def test_install(docker, host):
    host.installed.clear()

    docker.run(docker.on.install(), state())

    assert host.changes == ["install docker.io docker-buildx", *BEGUN]


def test_install_where_the_builder_is_part_of_the_engine(docker, host):
    host.installed.clear()
    host.offered.discard("docker-buildx")

    docker.run(docker.on.install(), state())

    assert host.changes == ["install docker.io", *BEGUN]


def test_install_leaves_what_is_there(docker, host):
    docker.run(docker.on.install(), state())

    assert host.changes == BEGUN


def test_start(docker, host):
    out = docker.run(docker.on.start(), state())

    assert daemon() == {"live-restore": True}
    assert host.changes == BEGUN
    assert out.unit_status == ops.ActiveStatus()
    assert out.workload_version == "answer to version --format"


@pytest.mark.parametrize(
    ("option", "value", "key", "verb"),
    [
        ("log-driver", "journald", "journald", "restart"),
        ("log-opts", "max-size=10m\nmax-file=3", {"max-size": "10m", "max-file": "3"}, "restart"),
        ("registry-mirrors", "https://a https://b", ["https://a", "https://b"], MILD),
        ("insecure-registries", "10.0.0.1:5000, reg", ["10.0.0.1:5000", "reg"], MILD),
        ("data-root", "/srv/docker", "/srv/docker", "restart"),
        ("live-restore", False, False, MILD),
        ("bip", "10.20.0.1/24", "10.20.0.1/24", "restart"),
        ("mtu", 1400, 1400, "restart"),
    ],
)
def test_option_reaches_the_engine(docker, host, option, value, key, verb):
    before = docker.run(docker.on.start(), state())
    host.changes.clear()

    out = docker.run(docker.on.config_changed(), state(**{option: value}))

    assert daemon()[option] == key
    assert host.changes == [f"{verb} docker.service"]
    said = ops.MaintenanceStatus(f"Restarting Docker for {option}")
    assert (said in docker.unit_status_history) is (verb == "restart")
    assert out.unit_status == before.unit_status


def test_every_key_is_an_option_with_a_test():
    daemon_options = charms.part("docker", "daemon_options")

    options = yaml.safe_load((charms.FOLDERS["docker"] / "config.yaml").read_text())["options"]
    (mark,) = vars(test_option_reaches_the_engine)["pytestmark"]

    of_the_packages = {"version", "compose", "source", "upstream-url", "upstream-key"}
    of_systemd = {"cpu-weight"}
    assert set(options) == {*daemon_options.KEYS, *of_the_packages, *of_systemd}
    assert {case[0] for case in mark.args[1]} == set(daemon_options.KEYS)


def test_keys_of_the_operator_stay(docker, host):
    put('{"debug": true, "mtu": 1300}')

    docker.run(docker.on.config_changed(), state())

    assert daemon() == {"debug": True, "live-restore": True}


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_file_that_cannot_be_merged_into_is_left_alone(docker, host, text):
    put(text)

    out = docker.run(docker.on.config_changed(), state(mtu=1400))

    assert isinstance(out.unit_status, ops.BlockedStatus)
    assert "daemon.json is not" in out.unit_status.message
    assert "correct or remove it" in out.unit_status.message
    assert host.changes == []


def test_network_gives_subnet_and_mtu(docker, host):
    network = ops.testing.Relation(
        "network", remote_units_data={0: {"flannel-subnet": "10.1.4.1/24", "flannel-mtu": "1450"}}
    )

    docker.run(docker.on.relation_changed(network, remote_unit=0), state(network))

    assert daemon() == {"live-restore": True, "bip": "10.1.4.1/24", "mtu": 1450}


def test_config_comes_before_the_network(docker, host):
    network = ops.testing.Relation(
        "network", remote_units_data={0: {"flannel-subnet": "10.1.4.1/24", "flannel-mtu": "1450"}}
    )

    docker.run(
        docker.on.relation_changed(network, remote_unit=0),
        state(network, bip="10.9.0.1/16", mtu=1400),
    )

    assert (daemon()["bip"], daemon()["mtu"]) == ("10.9.0.1/16", 1400)


def test_a_network_that_is_gone_takes_its_settings_with_it(docker, host):
    put('{"bip": "10.1.4.1/24", "live-restore": true}')
    network = ops.testing.Relation("network")

    docker.run(docker.on.relation_broken(network), state(network))

    assert daemon() == {"live-restore": True}


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"mtu": 5}, "Config mtu: Input should be greater than or equal to 576"),
        ({"bip": "10.0.0.1"}, "Config bip: must be an address with its prefix"),
        ({"bip": "house/24"}, "Config bip: 'house/24' does not appear to be"),
        ({"log-opts": "max-size"}, "Config log-opts: must be NAME=value"),
        ({"log-driver": "no such"}, "Config log-driver: String should match"),
        ({"registry-mirrors": "mirror"}, "Config registry-mirrors: 'mirror' is not an http"),
        ({"insecure-registries": "-x"}, "Config insecure-registries: '-x' is not HOST"),
        ({"data-root": "relative"}, "Config data-root: String should match"),
        ({"cpu-weight": 10001}, "Config cpu-weight: Input should be less than or equal to 10000"),
        ({"cpu-weight": -1}, "Config cpu-weight: Input should be greater than or equal to 0"),
        ({"version": "--force"}, "Config version: String should match"),
        ({"source": "moon"}, "Config source: Input should be 'distribution' or 'upstream'"),
        ({"upstream-url": "moon"}, "Config upstream-url: String should match"),
        ({"upstream-key": "moon"}, "Config upstream-key: String should match"),
    ],
)
def test_wrong_config_says_how_to_mend_it_and_changes_nothing(
    docker, host, tmp_path, config, reason
):
    docker.run(docker.on.start(), state())
    host.changes.clear()
    before = daemon(), weights(tmp_path)

    out = docker.run(docker.on.config_changed(), state(**config))

    assert isinstance(out.unit_status, ops.BlockedStatus)
    assert out.unit_status.message.startswith(reason)
    assert f"juju config docker {next(iter(config))}=VALUE" in out.unit_status.message
    assert host.changes == []
    assert (daemon(), weights(tmp_path)) == before


def test_wrong_network_is_named(docker, host):
    network = ops.testing.Relation("network", remote_units_data={0: {"flannel-mtu": "5"}})

    out = docker.run(docker.on.relation_changed(network, remote_unit=0), state(network))

    assert out.unit_status.message.startswith("The related network's mtu: Input should be")


def test_version_is_installed_and_held(docker, host):
    docker.run(docker.on.config_changed(), state(version="24.0.1-1"))

    assert host.changes[:2] == ["install docker.io=24.0.1-1 docker-buildx", "hold docker.io"]
    said = "Installing docker.io 24.0.1-1, Docker restarts with it"
    assert ops.MaintenanceStatus(said) in docker.unit_status_history
    host.changes.clear()
    docker.run(docker.on.config_changed(), state(version="24.0.1-1"))
    assert host.changes == []
    docker.run(docker.on.config_changed(), state())
    assert host.changes == ["unhold docker.io"]


def test_a_version_that_does_not_exist_is_named(docker, host):
    host.unknown = {"99"}

    out = docker.run(docker.on.config_changed(), state(version="99"))

    assert out.unit_status == ops.BlockedStatus(
        "Config version: there is no docker.io 99. Choose one of those that "
        "`apt-cache madison docker.io` lists on the machine"
    )
    assert host.changes == []


def test_packages_that_cannot_be_installed_are_tried_again(docker, host):
    host.installed.clear()
    host.says["apt-get install"] = ["apt-get install failed: no route to host"]

    out = docker.run(docker.on.install(), state())
    assert out.unit_status == ops.BlockedStatus("apt-get install failed: no route to host")
    out = docker.run(docker.on.update_status(), out)

    assert "docker.io" in host.installed
    assert out.unit_status == ops.ActiveStatus()


def test_packages_that_were_interrupted_are_configured_first(docker, host):
    host.installed.clear()
    host.says["apt-get install"] = ["E: dpkg was interrupted, you must run dpkg --configure -a"]

    docker.run(docker.on.install(), state())

    assert host.changes[:2] == ["dpkg --configure -a", "install docker.io docker-buildx"]


def test_another_that_asks_the_sources_is_waited_for(docker, host, monkeypatch):
    host.installed.clear()
    naps = []
    monkeypatch.setattr(charms.part("docker", "packages").time, "sleep", naps.append)
    host.says["apt-get update"] = ["E: Unable to lock directory /var/lib/apt/lists/"] * 2

    docker.run(docker.on.install(), state())

    assert len(naps) == 2
    assert "docker.io" in host.installed


def test_without_a_package_of_compose_says_so(docker, host):
    host.offered = {"docker.io"}

    out = docker.run(docker.on.config_changed(), state(compose=True))

    assert out.unit_status == ops.BlockedStatus(
        "Config compose: there is no package of Compose. Set compose=false"
    )


def test_compose(docker, host):
    docker.run(docker.on.config_changed(), state(compose=True))

    assert "install docker-compose-v2" in host.changes
    host.changes.clear()
    docker.run(docker.on.config_changed(), state(compose=True))
    assert host.changes == []


def test_compose_of_another_distribution(docker, host):
    host.offered = {"docker.io", "docker-compose"}

    docker.run(docker.on.config_changed(), state(compose=True))

    assert "install docker-compose" in host.changes


REFUSED = ops.BlockedStatus(
    "Docker does not start with another log-driver, so those of before are in force: see "
    "journalctl -u docker, and correct the config"
)


@pytest.fixture
def refused(docker, host):
    """A log driver that it does not start with: it starts again with what it had."""
    settled = docker.run(docker.on.start(), state())
    host.changes.clear()
    host.says["systemctl restart"] = ["no such driver"]
    wrong = dataclasses.replace(settled, config={"log-driver": "syslog"})
    return docker.run(docker.on.config_changed(), wrong)


def test_a_log_driver_that_the_engine_has_not_is_refused_and_nothing_is_restarted(docker, host):
    settled = docker.run(docker.on.start(), state())
    host.changes.clear()
    wrong = dataclasses.replace(settled, config={"log-driver": "nonsense"})

    out = docker.run(docker.on.config_changed(), wrong)

    assert daemon() == {"live-restore": True}
    assert host.changes == []
    assert out.unit_status == ops.BlockedStatus(
        "Config log-driver: nonsense is none that the engine has: journald, json-file, syslog. "
        "Use: juju config docker log-driver=VALUE"
    )


def test_settings_that_the_engine_refuses_are_taken_back(host, refused):
    assert daemon() == {"live-restore": True}
    assert host.changes == ["reset-failed docker.service", "restart docker.service"]
    assert refused.unit_status == REFUSED


@pytest.mark.parametrize("event", ["update_status", "config_changed", "info"])
def test_they_are_not_tried_again(docker, host, refused, event):
    host.changes.clear()
    on = docker.on.action(event) if event == "info" else getattr(docker.on, event)()

    out = docker.run(on, refused)

    assert host.changes == []
    assert out.unit_status == REFUSED


def test_until_the_config_is_another(docker, host, refused):
    right = dataclasses.replace(refused, config={"log-driver": "journald"})

    out = docker.run(docker.on.config_changed(), right)

    assert daemon()["log-driver"] == "journald"
    assert out.unit_status == ops.ActiveStatus()


def test_or_the_machine_was_started_anew(docker, host, refused):
    out = docker.run(docker.on.start(), refused)

    assert daemon()["log-driver"] == "syslog"
    assert out.unit_status == ops.ActiveStatus()


def test_an_engine_that_is_down_is_started_though_keys_are_refused(docker, host, refused):
    host.running = False
    host.changes.clear()

    docker.run(docker.on.update_status(), refused)

    assert host.changes == ["start docker.service"]


def test_an_engine_that_stopped_is_started(docker, host):
    docker.run(docker.on.start(), state())
    host.running = False
    host.changes.clear()

    docker.run(docker.on.update_status(), state())

    assert host.changes == ["start docker.service"]


def test_an_engine_that_does_not_run_is_named(docker, host, monkeypatch):
    engine_host = charms.part("docker", "engine_host")
    monkeypatch.setattr(engine_host, "is_running", lambda: False)

    out = docker.run(docker.on.install(), state())

    assert out.unit_status == ops.BlockedStatus("Docker does not run: see journalctl -u docker")


@pytest.mark.parametrize(
    ("action", "answer"), [("info", "answer to info --format"), ("df", "answer to system df")]
)
def test_action(docker, host, action, answer):
    docker.run(docker.on.action(action), state())

    assert docker.action_results == {action: answer}


@pytest.mark.parametrize("action", ["info", "df"])
def test_action_of_an_engine_that_does_not_answer(docker, host, action):
    host.fails = {"docker"}

    with pytest.raises(ops.testing.ActionFailed, match="docker failed"):
        docker.run(docker.on.action(action), state())


# --- packages of upstream -----------------------------------------------------------------


def apt_source(tmp_path):
    return (tmp_path / "apt" / "docker.sources").read_text()


def test_upstream_takes_the_place_of_the_distribution(docker, host, tmp_path):
    host.offered = {"docker-buildx-plugin", "containerd.io"}

    docker.run(docker.on.config_changed(), state(source="upstream", version="5:29.0-1"))

    assert host.changes[:3] == [
        "install docker-ce=5:29.0-1 docker-ce-cli=5:29.0-1 containerd.io docker-buildx-plugin",
        "hold docker-ce",
        "hold docker-ce-cli",
    ]
    assert "URIs: https://download.docker.com/linux/" in apt_source(tmp_path)
    assert (tmp_path / "apt/docker.asc").read_text().startswith("key from https://download.")


def test_a_mirror_of_upstream_with_a_key_of_ones_own(docker, host, tmp_path):
    key = "-----BEGIN PGP PUBLIC KEY BLOCK-----\nx\n-----END PGP PUBLIC KEY BLOCK-----"
    mirror = {"source": "upstream", "upstream-url": "https://mirror.example.com/docker/"}

    docker.run(docker.on.config_changed(), state(**mirror, **{"upstream-key": key}))
    seen = (tmp_path / "apt/docker.sources").stat().st_mtime_ns
    docker.run(docker.on.config_changed(), state(**mirror, **{"upstream-key": key}))

    assert "URIs: https://mirror.example.com/docker/" in apt_source(tmp_path)
    assert (tmp_path / "apt/docker.asc").read_text() == key
    assert (tmp_path / "apt/docker.sources").stat().st_mtime_ns == seen


def test_a_source_that_does_not_work_is_forgotten(docker, host, tmp_path):
    host.says["apt-get update"] = ["E: The repository does not have a Release file"]

    out = docker.run(docker.on.config_changed(), state(source="upstream"))

    assert out.unit_status.message.startswith(
        "Config upstream-url: https://download.docker.com/linux/"
    )
    assert out.unit_status.message.endswith("does not have a Release file")
    assert not (tmp_path / "apt/docker.sources").exists()


def test_a_key_that_cannot_be_fetched_is_asked_for(docker, host, monkeypatch):
    packages = charms.part("docker", "packages")

    def fail(url):
        raise packages.engine_host.EngineError("give it in upstream-key")

    monkeypatch.setattr(packages, "_fetched", fail)

    out = docker.run(docker.on.config_changed(), state(source="upstream"))

    assert out.unit_status == ops.BlockedStatus("give it in upstream-key")


def test_back_to_the_distribution(docker, host, tmp_path):
    docker.run(docker.on.config_changed(), state(source="upstream"))

    docker.run(docker.on.config_changed(), state())

    assert not (tmp_path / "apt/docker.sources").exists()


def test_compose_of_upstream(docker, host):
    host.offered = {"docker-compose-plugin"}

    docker.run(docker.on.config_changed(), state(source="upstream", compose=True))

    assert "install docker-compose-plugin" in host.changes


# --- storage ------------------------------------------------------------------------------


def with_storage(storage, **config):
    return dataclasses.replace(state(**config), storages=[storage])


def test_storage_holds_the_data(docker, host):
    storage = ops.testing.Storage("data")

    docker.run(docker.on.storage_attached(storage), with_storage(storage))

    assert daemon()["data-root"].endswith("/docker")
    assert ops.MaintenanceStatus("Restarting Docker for data-root, live-restore") in (
        docker.unit_status_history
    )


def test_storage_and_data_root_are_one_too_many(docker, host):
    storage = ops.testing.Storage("data")

    out = docker.run(
        docker.on.config_changed(), with_storage(storage, **{"data-root": "/elsewhere"})
    )

    assert out.unit_status.message.startswith("Config data-root: the storage data is at ")
    assert out.unit_status.message.endswith("juju config docker --reset data-root")


def test_storage_is_let_go_of_before_it_goes(docker, host):
    storage = ops.testing.Storage("data")
    attached = docker.run(docker.on.storage_attached(storage), with_storage(storage))
    host.containers = ["web"]
    host.changes.clear()

    docker.run(docker.on.storage_detaching(storage), attached)

    assert daemon() == {"live-restore": True}
    assert host.changes == ["reload-or-restart docker.service", "restart docker.service"]


def test_containers_are_stopped_before_their_storage_goes(docker, host, monkeypatch):
    storage = ops.testing.Storage("data")
    attached = docker.run(docker.on.storage_attached(storage), with_storage(storage))
    seen = []
    engine_host = charms.part("docker", "engine_host")
    monkeypatch.setattr(engine_host, "apply", lambda verb: seen.append((verb, daemon())))

    docker.run(docker.on.storage_detaching(storage), attached)

    (reload, before), (restart, after) = seen
    assert (reload, before["live-restore"]) == ("reload-or-restart", False)
    assert before["data-root"].endswith("/docker")
    assert (restart, after) == ("restart", {"live-restore": True})


def test_storage_where_containers_are_already_has_one_fix(docker, host):
    settled = docker.run(docker.on.start(), state())
    host.containers = ["web"]
    host.changes.clear()
    storage = ops.testing.Storage("data")

    out = docker.run(
        docker.on.storage_attached(storage), dataclasses.replace(settled, storages=[storage])
    )

    assert out.unit_status.message.startswith("The storage data: ")
    assert out.unit_status.message.endswith(
        f"would leave the containers of /var/lib/docker behind. Remove them first, or use: "
        f"juju detach-storage data/{storage.index}"
    )
    assert host.changes == []


def test_containers_are_not_left_behind(docker, host):
    docker.run(docker.on.start(), state())
    host.containers = ["web"]
    host.changes.clear()

    out = docker.run(docker.on.config_changed(), state(**{"data-root": "/elsewhere"}))

    assert out.unit_status == ops.BlockedStatus(
        "Config data-root: /elsewhere would leave the containers of /var/lib/docker behind. "
        "Remove them first, or use: juju config docker data-root=/var/lib/docker"
    )
    assert host.changes == []
    assert "data-root" not in daemon()


# --- proxies and registries ----------------------------------------------------------------


def test_proxies_of_the_model(docker, host, tmp_path, monkeypatch):
    monkeypatch.setenv("JUJU_CHARM_HTTP_PROXY", "http://user:p%40ss@proxy:3128")
    monkeypatch.setenv("JUJU_CHARM_NO_PROXY", "localhost")
    docker.run(docker.on.start(), state())

    text = (tmp_path / "docker.service.d/proxies.conf").read_text()
    assert 'Environment="HTTP_PROXY=http://user:p%%40ss@proxy:3128"' in text
    assert 'Environment="NO_PROXY=localhost"' in text
    assert host.changes == ["daemon-reload", "daemon-reload", "restart docker.service"]
    said = ops.MaintenanceStatus("Restarting Docker for live-restore, proxies")
    assert said in docker.unit_status_history

    monkeypatch.delenv("JUJU_CHARM_HTTP_PROXY")
    monkeypatch.delenv("JUJU_CHARM_NO_PROXY")
    docker.run(docker.on.update_status(), state())

    assert not (tmp_path / "docker.service.d/proxies.conf").exists()


def test_proxies_that_systemd_was_not_told_of_are_tried_again(docker, host, tmp_path, monkeypatch):
    settled = docker.run(docker.on.start(), state())
    host.changes.clear()
    monkeypatch.setenv("JUJU_CHARM_HTTP_PROXY", "http://proxy:3128")
    host.says["systemctl daemon-reload"] = ["systemctl daemon-reload failed: timed out"]

    out = docker.run(docker.on.update_status(), settled)
    assert out.unit_status == ops.BlockedStatus("systemctl daemon-reload failed: timed out")
    docker.run(docker.on.update_status(), out)

    assert host.changes == ["daemon-reload", "restart docker.service"]
    assert (tmp_path / "docker.service.d/proxies.conf").exists()


def registry(**said):
    return ops.testing.Relation("docker-registry", remote_units_data={0: said})


@pytest.mark.parametrize("as_is", [True, False])
def test_a_registry_with_an_authority_is_trusted(docker, host, tmp_path, as_is):
    pem = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"
    ca = pem if as_is else json.dumps(base64.b64encode(pem.encode()).decode())
    relation = registry(registry_netloc="registry.example.com:5000", tls_ca=ca)

    docker.run(docker.on.relation_changed(relation, remote_unit=0), state(relation))

    path = tmp_path / "docker/certs.d/registry.example.com:5000/juju-ca.crt"
    assert path.read_text() == pem
    docker.run(docker.on.relation_broken(relation), state(relation))
    assert not path.exists()


def test_a_registry_without_tls_is_insecure(docker, host):
    docker.run(docker.on.start(), state())
    host.changes.clear()
    relation = registry(registry_netloc='"10.0.0.5:5000"', registry_url='"http://10.0.0.5:5000"')

    docker.run(
        docker.on.relation_changed(relation, remote_unit=0),
        state(relation, **{"insecure-registries": "other:5000"}),
    )

    assert daemon()["insecure-registries"] == ["other:5000", "10.0.0.5:5000"]
    assert host.changes == ["reload-or-restart docker.service"]


@pytest.mark.parametrize("address", ["", "../../etc", "-x", "a b"])
def test_an_address_that_is_none_is_passed_over(docker, host, tmp_path, address):
    relation = registry(registry_netloc=address, registry_url="http://x", tls_ca="x")

    docker.run(docker.on.relation_changed(relation, remote_unit=0), state(relation))

    assert not (tmp_path / "docker/certs.d").exists()
    assert "insecure-registries" not in daemon()


def test_prune_is_the_build_hooks(docker, host, tmp_path):
    (tmp_path / "build-hook").touch()

    docker.run(docker.on.action("prune"), state())

    assert docker.action_results == {"removed": "answer to gc --json"}


def test_without_a_build_hook_nothing_is_pruned(docker, host):
    with pytest.raises(ops.testing.ActionFailed, match="no build hook on this machine"):
        docker.run(docker.on.action("prune"), state())


# --- the weight of the engine's own work ------------------------------------------------------


def weighing(weight):
    lines = ["[Service]", f"CPUWeight={weight}"]
    return {"docker.service.d": lines, "containerd.service.d": lines}


@pytest.mark.parametrize("event", ["install", "start", "upgrade_charm"])
def test_the_engines_own_work_gives_way(docker, host, tmp_path, event):
    docker.run(getattr(docker.on, event)(), state())

    assert weights(tmp_path) == weighing(5)
    assert "daemon-reload" in host.changes


def test_another_weight_restarts_nothing(docker, host, tmp_path):
    settled = docker.run(docker.on.start(), state())
    host.changes.clear()
    heavier = dataclasses.replace(settled, config={"cpu-weight": 50})

    out = docker.run(docker.on.config_changed(), heavier)

    assert weights(tmp_path) == weighing(50)
    assert host.changes == ["daemon-reload"]
    docker.run(docker.on.update_status(), out)
    assert host.changes == ["daemon-reload"]


def test_a_weight_of_nothing_leaves_it_to_systemd(docker, host, tmp_path):
    settled = docker.run(docker.on.start(), state())
    host.changes.clear()
    without = dataclasses.replace(settled, config={"cpu-weight": 0})

    out = docker.run(docker.on.config_changed(), without)

    assert weights(tmp_path) == {}
    assert host.changes == ["daemon-reload"]
    docker.run(docker.on.update_status(), out)
    assert host.changes == ["daemon-reload"]


def test_a_weight_that_systemd_was_not_told_of_is_tried_again(docker, host, tmp_path):
    host.says["systemctl daemon-reload"] = ["systemctl daemon-reload failed: timed out"]

    out = docker.run(docker.on.start(), state())
    assert out.unit_status == ops.BlockedStatus("systemctl daemon-reload failed: timed out")
    out = docker.run(docker.on.update_status(), out)

    assert weights(tmp_path) == weighing(5)
    assert host.changes == BEGUN
    assert out.unit_status == ops.ActiveStatus()


@pytest.mark.parametrize(("wanted", "found"), [(0, {}), (50, weighing(50))])
def test_a_change_that_systemd_was_not_told_of_is_tried_again(
    docker, host, tmp_path, wanted, found
):
    settled = docker.run(docker.on.start(), state())
    other = dataclasses.replace(settled, config={"cpu-weight": wanted})
    host.says["systemctl daemon-reload"] = ["systemctl daemon-reload failed: timed out"]

    out = docker.run(docker.on.config_changed(), other)
    assert weights(tmp_path) == weighing(5)
    host.changes.clear()
    docker.run(docker.on.update_status(), out)

    assert weights(tmp_path) == found
    assert host.changes == ["daemon-reload"]


def test_the_weight_goes_with_the_charm(docker, host, tmp_path):
    settled = docker.run(docker.on.start(), state())
    host.changes.clear()

    docker.run(docker.on.remove(), settled)

    assert weights(tmp_path) == {}
    assert host.changes == ["daemon-reload"]


def test_both_units_of_the_engine_are_weighed_and_the_operator_has_the_last_word():
    """Systemd reads drop-ins in the order of their names; those of its own commands come later."""
    weights = charms.part("docker", "engine_host").WEIGHTS

    folder = pathlib.Path("/etc/systemd/system")
    assert [path.parent for path in weights] == [
        folder / "docker.service.d", folder / "containerd.service.d",
    ]  # fmt: skip
    assert all(path.name < "50-CPUWeight.conf" < "override.conf" for path in weights)


# --- the end ------------------------------------------------------------------------------


def test_what_is_left_is_the_engine(docker, host, tmp_path, monkeypatch):
    monkeypatch.setenv("JUJU_CHARM_HTTP_PROXY", "http://proxy:3128")
    put('{"debug": true}')
    pem = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"
    relation = registry(registry_netloc="registry.example.com", tls_ca=pem)
    options = {"source": "upstream", "version": "5:29", "data-root": "/srv/docker", "mtu": 1400}
    settled = docker.run(docker.on.config_changed(), state(relation, **options))
    host.changes.clear()

    docker.run(docker.on.remove(), settled)

    assert daemon() == {"debug": True, "data-root": "/srv/docker"}
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {"docker/daemon.json"}
    assert host.held == set()
    assert host.changes == [
        "unhold docker-ce", "unhold docker-ce-cli", "daemon-reload", "daemon-reload",
    ]  # fmt: skip


def test_a_hold_of_the_operator_stays(docker, host):
    settled = docker.run(docker.on.start(), state())
    host.held = {"docker.io"}

    docker.run(docker.on.remove(), settled)

    assert host.held == {"docker.io"}


def test_a_file_that_cannot_be_read_stays(docker, host):
    put("{")

    docker.run(docker.on.remove(), state())

    assert charms.part("docker", "engine_host").DAEMON_FILE.read_text() == "{"
