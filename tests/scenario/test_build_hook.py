"""The build hook charm: events in, files, units, ports, databags and status out."""

import dataclasses
import hashlib
import json
import pathlib
import time

import ops
import ops.testing
import pytest
from charms.docker_build_hook.v0 import dockerfile_testing

from tests.scenario import charms
from tests.scenario.conftest import HERE

UNITS = {
    "build-hook-proxy.service",
    "build-hook-worker.service",
    "build-hook-web.socket",
    "build-hook-web.service",
    "build-hook-report.path",
}
SELFOSS = {
    "app": "docker-selfoss",
    "repository": "https://git.example.com/chuck/docker-selfoss.git",
    "ports": [{"target": 80, "published": 9000}],
}


def project(**fields):
    return dockerfile_testing.relation_for_build_hook(**{"machine": HERE, **SELFOSS, **fields})


def registry(machine):
    return json.loads((machine.folder / "state" / "registry.json").read_text()).get("projects", [])


def webhook_file(machine, app):
    """The file of the project's secret, which is told by a digest of it."""
    (file,) = (machine.folder / "state" / "secrets").glob(f"hook.{app}.*")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert file.name == f"hook.{app}.{digest[:8]}"
    return file


def unit_text(machine, unit):
    return (machine.folder / "systemd" / unit).read_text()


def said(state, relation):
    bag = state.get_relation(relation.id).local_unit_data
    keys = ("webhook_url", "refused", "serving", "last")
    return {k: json.loads(v) for k, v in bag.items() if k in keys}


def peers(state):
    return state.get_relations("peers")[0]


# --- life of the unit ----------------------------------------------------------------------


def test_install_brings_what_is_missing(hook, world, machine):
    machine.programs = set()

    hook.run(hook.on.install(), world())

    assert machine.changes == [
        "install haproxy git nftables conntrack",
        "disable --now haproxy.service",
    ]


@pytest.mark.parametrize("name", ["install", "upgrade_charm"])
def test_the_version_of_the_product_comes_with_the_charm(hook, world, name):
    state = hook.run(getattr(hook.on, name)(), world())

    assert state.workload_version == "0.1.0"


def test_datagrams_have_ports_too(hook, world):
    relation = project(
        ports=[
            {"target": 53, "published": 8080, "protocol": "udp"},
            {"target": 25, "published": 25, "app_protocol": "tcp"},
        ]
    )

    state = hook.run(hook.on.relation_changed(relation), world(relation))

    ports = {(port.protocol, port.port) for port in state.opened_ports}
    assert ports == {("tcp", 8080), ("udp", 8080), ("tcp", 25)}


def test_install_touches_nothing_that_is_there(hook, world, machine):
    hook.run(hook.on.install(), world())

    assert machine.changes == []


def test_install_leaves_a_haproxy_of_the_operator_alone(hook, world, machine):
    machine.programs = {"haproxy", "nft", "conntrack"}

    hook.run(hook.on.install(), world())

    assert machine.changes == ["install git"]


def test_start_runs_the_three_processes(hook, world, machine):
    state = hook.run(hook.on.start(), world())

    assert machine.units == UNITS
    assert machine.enabled == UNITS
    assert state.unit_status == ops.ActiveStatus(
        "No projects: relate an application to the project endpoint"
    )
    assert state.opened_ports == {ops.testing.TCPPort(8080)}


def test_web_has_no_docker_and_worker_has(hook, world, machine):
    hook.run(hook.on.start(), world())

    web = unit_text(machine, "build-hook-web.service")
    assert "User=build-hook\n" in web
    assert "SupplementaryGroups" not in web
    assert "InaccessiblePaths=-/run/docker.sock" in web
    assert "SupplementaryGroups=docker\n" in unit_text(machine, "build-hook-worker.service")


def test_folders_keep_web_from_what_is_not_its_own(hook, world, machine):
    hook.run(hook.on.start(), world())

    modes = {
        path.name: oct(path.stat().st_mode & 0o7777)
        for path in (machine.folder / "state").iterdir()
        if path.name != "instance"
    }
    assert modes == {
        "secrets": "0o710",
        "certificates": "0o700",
        "repositories": "0o700",
        "checkouts": "0o700",
        "logs": "0o2750",
        "run": "0o3770",
        "registry.json": "0o640",
    }
    assert (machine.folder / "state").stat().st_mode & 0o7777 == 0o3770


def test_without_docker_web_takes_deliveries_and_the_worker_waits(hook, world, machine):
    machine.groups = set()

    state = hook.run(hook.on.start(), world())

    assert machine.units == UNITS - {"build-hook-worker.service"}
    assert state.unit_status == ops.WaitingStatus("Waiting for Docker on this machine")


def test_docker_that_comes_later_starts_the_worker(hook, world, machine):
    machine.groups = set()
    state = hook.run(hook.on.start(), world())
    machine.groups.add("docker")

    state = hook.run(hook.on.update_status(), state)

    assert machine.units == UNITS
    assert isinstance(state.unit_status, ops.ActiveStatus)


def test_a_process_that_fell_is_started_again(hook, world, machine):
    state = hook.run(hook.on.start(), world())
    machine.units.discard("build-hook-web.service")

    hook.run(hook.on.update_status(), state)

    assert machine.changes[-1] == "start --no-block build-hook-web.service"


def test_a_process_that_crashes_is_named_and_started_again(hook, world, machine, monkeypatch):
    import machine as verbs

    state = hook.run(hook.on.start(), world())
    machine.units.discard("build-hook-web.service")
    machine.crashed.add("build-hook-web.service")
    told = []
    monkeypatch.setattr(verbs, "systemctl", lambda *words: told.append(" ".join(words)))

    state = hook.run(hook.on.update_status(), state)

    assert told == ["start --no-block build-hook-web.service"]
    assert state.unit_status == ops.BlockedStatus(
        "build-hook-web.service does not run: see journalctl -u build-hook-web.service"
    )


def test_nobody_waits_for_a_service_nor_blames_one_that_was_just_told_to_start(
    hook, world, machine, monkeypatch
):
    import machine as verbs

    monkeypatch.setattr(verbs, "systemctl", lambda *_: None)  # it has not got round to it

    state = hook.run(hook.on.start(), world())

    assert "does not run" not in state.unit_status.message


def test_upgrade_restarts_web_and_worker_with_new_code_and_leaves_the_proxy(
    hook, world, machine, monkeypatch
):
    import units

    state = hook.run(hook.on.start(), world())
    monkeypatch.setattr(units, "_code_digest", lambda: "another")
    path = machine.folder / "systemd" / "build-hook-proxy.service"
    path.write_text("of the charm before")
    machine.changes.clear()

    hook.run(hook.on.upgrade_charm(), state)

    assert machine.changes == [
        "daemon-reload",
        "enable --no-reload build-hook-worker.service build-hook-web.service",
        "restart --no-block build-hook-worker.service build-hook-web.service",
    ]
    assert "of the charm before" not in path.read_text()


def test_the_proxy_comes_first_where_processors_are_short(hook, world, machine):
    hook.run(hook.on.start(), world())

    weighed = {
        path.name: [line for line in path.read_text().splitlines() if line.startswith("CPU")]
        for path in (machine.folder / "systemd").iterdir()
    }
    proxy = weighed.pop("build-hook-proxy.service")
    assert proxy == ["CPUWeight=1000"]
    assert not any(weighed.values())


def test_upgrade_to_the_same_code_restarts_nothing(hook, world, machine):
    state = hook.run(hook.on.start(), world())
    machine.changes.clear()

    hook.run(hook.on.upgrade_charm(), state)

    assert machine.changes == []


def test_a_restart_that_failed_is_tried_again(hook, world, machine):
    from machine import MachineError

    machine.broken = {"build-hook-worker.service"}
    with pytest.raises(ops.testing.errors.UncaughtCharmError) as caught:
        hook.run(hook.on.start(), world())
    assert isinstance(caught.value.__cause__, MachineError)
    machine.broken = set()

    hook.run(hook.on.start(), world())

    assert machine.units == UNITS


@pytest.mark.parametrize("keep", [True, False])
def test_remove_leaves_only_the_data_that_is_to_be_kept(hook, world, machine, keep):
    state = hook.run(hook.on.start(), world(config={"keep-data": keep}))

    hook.run(hook.on.remove(), state)

    assert machine.units == machine.enabled == set()
    assert list((machine.folder / "systemd").iterdir()) == []
    assert (machine.folder / "state").exists() is keep
    assert not (machine.folder / "build-hook").exists()


def test_remove_waits_for_the_worker_to_take_containers_away(hook, world, machine, monkeypatch):
    import removal

    relation = project()
    state = hook.run(hook.on.relation_changed(relation), world(relation))
    machine.docker["ps"] = ["c1"]
    naps = []

    def sleep(_):
        naps.append("build-hook-worker.service" in machine.units)
        naps.append("build-hook-web.service" in machine.units)
        machine.docker["ps"] = []

    monkeypatch.setattr(removal.time, "sleep", sleep)
    monkeypatch.setattr(removal.wake, "send", lambda run: naps.append(run.name))

    hook.run(hook.on.remove(), state)

    assert naps == ["run", True, False]
    assert machine.units == set()


def test_stop_has_the_worker_begin_and_waits_for_nobody(hook, world, machine, monkeypatch):
    import removal

    relation, woken = project(), []
    state = hook.run(hook.on.relation_changed(relation), world(relation))
    machine.docker["ps"] = ["c1"]
    monkeypatch.setattr(removal.wake, "send", lambda run: woken.append(run.name))
    machine.changes.clear()

    state = hook.run(hook.on.stop(), state)

    assert (woken, registry(machine)) == (["run"], [])
    assert machine.changes == ["stop --no-block build-hook-web.socket build-hook-web.service"]
    assert "build-hook-worker.service" in machine.units
    assert state.unit_status == ops.MaintenanceStatus("Takes everything away")


def test_the_end_of_a_build_after_stop_starts_nothing_again(hook, world, machine):
    relation = project()
    state = hook.run(hook.on.relation_changed(relation), world(relation))
    state = hook.run(hook.on.stop(), state)
    machine.changes.clear()

    state = hook.run(charms.custom_event("builds_changed"), state)

    assert (machine.changes, registry(machine)) == ([], [])
    assert state.unit_status == ops.MaintenanceStatus("Takes everything away")


def test_stop_of_a_unit_whose_worker_never_ran_leaves_everything(hook, world, machine):
    machine.groups = set()
    state = hook.run(hook.on.start(), world())
    machine.changes.clear()

    hook.run(hook.on.stop(), state)

    assert machine.changes == []


@pytest.mark.parametrize("keep", [True, False])
def test_remove_takes_what_the_worker_left_in_docker(hook, world, machine, monkeypatch, keep):
    import removal

    monkeypatch.setattr(removal, "PATIENCE", 0.0)
    state = hook.run(hook.on.start(), world(config={"keep-data": keep}))
    machine.docker |= {"ps": ["c1"], "images": ["i1", "i1"], "network": ["n1"]}
    machine.changes.clear()

    hook.run(hook.on.remove(), state)

    removed = [change for change in machine.changes if change.startswith("/usr/bin/docker")]
    everything = ["rm --force c1", "rmi --force i1", "network rm n1"]
    assert removed == [f"/usr/bin/docker {what}" for what in everything]


@pytest.mark.parametrize("keep", [True, False])
def test_remove_takes_what_udp_left_in_the_kernel(hook, world, machine, keep):
    state = hook.run(hook.on.start(), world(config={"keep-data": keep}))
    instance = (machine.folder / "state" / "instance").read_text().strip()
    ours = f"-o br1 -p udp -m comment --comment build-hook-{instance} -j ACCEPT"
    machine.rules = f"-A DOCKER-USER {ours}\n-A DOCKER-USER -j RETURN\n"

    hook.run(hook.on.remove(), state)

    assert f"nft delete table ip build_hook_{instance}" in machine.filtered
    deleted = [asked for asked in machine.filtered if " -D " in asked]
    assert deleted == [f"iptables -w -D DOCKER-USER {ours}"]


def test_kept_data_is_history_logs_clones_and_what_is_the_operators(hook, world, machine):
    relation = project()
    folder = machine.folder / "state"
    state = hook.run(hook.on.relation_changed(relation), world(relation))
    hook.run(hook.on.config_changed(), state)  # the secret has been made
    for name in ("build-hook.db", "registry.good.json", "secrets/mine", "secrets/hook.x",
                 "certificates/mine.pem", "certificates/juju.pem", "run/haproxy.cfg"):  # fmt: skip
        (folder / name).write_text("x")

    hook.run(hook.on.remove(), state)

    left = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert left == {"instance", "build-hook.db", "secrets/mine", "certificates/mine.pem"}


def test_accounts_of_ours_go_with_the_data(hook, world, machine):
    state = hook.run(hook.on.start(), world(config={"keep-data": False, "user": "builder"}))
    machine.changes.clear()

    hook.run(hook.on.remove(), state)

    assert machine.changes[-2:] == ["userdel builder", "userdel build-hook"]


def test_accounts_stay_with_the_data_that_is_theirs(hook, world, machine):
    state = hook.run(hook.on.start(), world())

    hook.run(hook.on.remove(), state)

    assert "build-hook" in machine.users


def test_remove_empties_the_registry_for_the_worker(hook, world, machine, monkeypatch):
    import removal

    relation, seen = project(), []
    state = hook.run(hook.on.relation_changed(relation), world(relation))
    machine.docker["ps"] = ["c1"]

    def sleep(_):
        seen.append(registry(machine))
        machine.docker["ps"] = []

    monkeypatch.setattr(removal.time, "sleep", sleep)

    hook.run(hook.on.remove(), state)

    assert seen == [[]]


def test_the_helper_of_2015_goes_and_what_was_there_before_comes_back(hook, world, machine):
    helper = machine.folder / "build-hook.py"
    state = hook.run(hook.on.start(), world(config={"script-helper": str(helper)}))
    helper.with_name("build-hook.py.before").write_text("of 2015")
    helper.write_text("exec python -m build_hook.shim.helper")

    hook.run(hook.on.remove(), state)

    assert helper.read_text() == "of 2015"
    assert not helper.with_name("build-hook.py.before").exists()


def test_a_helper_that_is_not_ours_stays(hook, world, machine):
    helper = machine.folder / "build-hook.py"
    helper.write_text("of 2015")
    state = hook.run(hook.on.start(), world(config={"script-helper": str(helper)}))

    hook.run(hook.on.remove(), state)

    assert helper.read_text() == "of 2015"


def test_the_worker_has_the_rights_that_limits_take_and_web_has_none(hook, world, machine):
    hook.run(hook.on.start(), world())

    worker = unit_text(machine, "build-hook-worker.service")
    assert "AmbientCapabilities=CAP_DAC_OVERRIDE CAP_KILL\n" in worker
    web = unit_text(machine, "build-hook-web.service")
    assert "CapabilityBoundingSet=\n" in web
    assert "AmbientCapabilities" not in web


def test_the_operator_has_the_command(hook, world, machine):
    hook.run(hook.on.start(), world(config={"port": 9090}))

    path = machine.folder / "build-hook"
    assert path.stat().st_mode & 0o7777 == 0o755
    assert "BUILD_HOOK_PORT=9090" in path.read_text()
    assert f"build_hook --state {machine.folder}/state" in path.read_text()


# --- config --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "value", "variable"),
    [
        ("listen", "::", "BUILD_HOOK_LISTEN=::"),
        ("public-url", "https://hooks.example.com", "BUILD_HOOK_PUBLIC_URL=https://hooks"),
        ("publish-address", "192.0.2.7", "BUILD_HOOK_PUBLISH_ADDRESS=192.0.2.7"),
        ("concurrency", 5, "BUILD_HOOK_CONCURRENCY=5"),
        ("min-free-mb", 7, "BUILD_HOOK_MIN_FREE_MB=7"),
        ("keep-images", 9, "BUILD_HOOK_KEEP_IMAGES=9"),
        ("keep-builds", 11, "BUILD_HOOK_KEEP_BUILDS=11"),
        ("build-log-mb", 1.5, "BUILD_HOOK_BUILD_LOG_MB=1.5"),
        ("reconcile-interval", 60.0, "BUILD_HOOK_RECONCILE_INTERVAL=60.0"),
        ("max-body-mb", 2.0, "BUILD_HOOK_MAX_BODY_MB=2.0"),
        ("web-workers", 3, "BUILD_HOOK_WEB_WORKERS=3"),
        ("keep-deliveries-days", 3.0, "BUILD_HOOK_KEEP_DELIVERIES_DAYS=3.0"),
        ("keep-deliveries-mb", 64.0, "BUILD_HOOK_KEEP_DELIVERIES_MB=64.0"),
        ("trusted-proxies", "192.0.2.0/24, 10.0.0.0/8", "_PROXIES=192.0.2.0/24,10.0.0.0/8"),
        ("port", 9090, "BUILD_HOOK_PORT=9090"),
        ("user", "builder", "User=builder\n"),
    ],
)
def test_option_reaches_the_worker(hook, world, machine, option, value, variable):
    before = hook.run(hook.on.start(), world())
    assert variable not in unit_text(machine, "build-hook-worker.service")

    hook.run(hook.on.config_changed(), ops.testing.State(
        config={option: value}, relations=before.relations, leader=True, model=before.model
    ))  # fmt: skip

    assert variable in unit_text(machine, "build-hook-worker.service")
    assert "build-hook-worker.service" in machine.restarted


def test_every_setting_of_the_product_is_an_option():
    import yaml

    from build_hook import settings
    from tests.scenario import charms

    options = yaml.safe_load((charms.ROOT / "config.yaml").read_text())["options"]
    offered = {name.replace("-", "_") for name in options}

    assert settings.Settings.model_fields.keys() - offered == {
        "state",
        "docker_host",
        "loki_labels",
    }


def test_defaults_are_those_of_the_product():
    import yaml

    from build_hook import settings
    from tests.scenario import charms

    options = yaml.safe_load((charms.ROOT / "config.yaml").read_text())["options"]
    product = settings.Settings(state=pathlib.Path("/x")).model_dump()
    product["tls_certificate"] = "juju"  # which a relation brings

    for name, option in options.items():
        key = name.replace("-", "_")
        if key in product:
            assert (option["default"] or None) == (product[key] or None), name


def test_an_account_whose_group_is_there_joins_it(hook, world, machine):
    hook.run(hook.on.start(), world(config={"user": "docker"}))

    assert machine.users["docker"] == "docker"


def test_values_reach_the_units_as_they_are(hook, world, machine):
    said = 'a"b%c'

    hook.run(hook.on.start(), world(config={"public-url": f"https://x/{said}\\"}))

    unit = unit_text(machine, "build-hook-worker.service")
    assert 'Environment="BUILD_HOOK_PUBLIC_URL=https://x/a\\"b%%c\\\\"\n' in unit


def test_port_moves_the_socket(hook, world, machine):
    state = hook.run(hook.on.start(), world())
    machine.changes.clear()

    state = hook.run(hook.on.config_changed(), world(config={"port": 9090}))

    assert "ListenStream=0.0.0.0:9090\n" in unit_text(machine, "build-hook-web.socket")
    assert [c for c in machine.changes if "web" in c and not c.startswith("enable")] == [
        "restart --no-block build-hook-worker.service build-hook-web.socket build-hook-web.service"
    ]
    assert "build-hook-proxy.service" not in machine.restarted
    assert state.opened_ports == {ops.testing.TCPPort(9090)}


@pytest.mark.parametrize(
    ("option", "value", "taken", "said"),
    [
        ("port", 9090, ("0.0.0.0", 9090), "port: 9090 is in use on this machine"),
        ("listen", "192.0.2.7", ("192.0.2.7", 0), "listen: 192.0.2.7 is no address of this"),
    ],
)
def test_a_place_that_cannot_be_had_changes_nothing(
    hook, world, machine, option, value, taken, said
):
    state = hook.run(hook.on.start(), world())
    before = machine.snapshot()
    machine.taken = {taken, ("0.0.0.0", 8080)}  # the latter by ourselves
    machine.changes.clear()

    state = hook.run(hook.on.config_changed(), world(config={option: value}))

    assert isinstance(state.unit_status, ops.BlockedStatus)
    assert f"Config {said}" in state.unit_status.message
    assert f"juju config build-hook {option}=" in state.unit_status.message
    assert (machine.changes, machine.snapshot()) == ([], before)


@pytest.mark.parametrize("listen", ["0.0.0.0", "127.0.0.1", "::"])
def test_who_has_the_port_already_is_not_asked_for_it(hook, world, machine, listen):
    hook.run(hook.on.start(), world())
    machine.taken = {("0.0.0.0", 8080), (listen, 8080)}  # by ourselves

    state = hook.run(hook.on.config_changed(), world(config={"listen": listen}))

    assert isinstance(state.unit_status, ops.ActiveStatus)
    host = f"[{listen}]" if ":" in listen else listen
    assert f"ListenStream={host}:8080\n" in unit_text(machine, "build-hook-web.socket")


def test_a_port_of_ours_is_ours_also_if_its_unit_has_to_be_written_again(hook, world, machine):
    state = hook.run(hook.on.start(), world())
    (machine.folder / "systemd" / "build-hook-web.socket").unlink()  # as after a failure
    machine.taken = {("0.0.0.0", 8080)}

    state = hook.run(hook.on.update_status(), state)

    assert isinstance(state.unit_status, ops.ActiveStatus)
    assert "build-hook-web.socket" in machine.restarted


def test_an_ipv6_address_is_bracketed(hook, world, machine):
    hook.run(hook.on.start(), world(config={"listen": "::"}))

    assert "ListenStream=[::]:8080\n" in unit_text(machine, "build-hook-web.socket")


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("port", 0, "Config port must be between 1 and 65535"),
        ("port", 70000, "Config port: Input should be less than or equal to 65535"),
        ("concurrency", 0, "Config concurrency: Input should be greater than or equal to 1"),
        ("min-free-mb", -1, "Config min-free-mb: Input should be greater"),
        ("keep-images", 0, "Config keep-images: Input should be greater"),
        ("keep-builds", 0, "Config keep-builds: Input should be greater"),
        ("build-log-mb", 0.0, "Config build-log-mb: Input should be greater"),
        ("reconcile-interval", 0.0, "Config reconcile-interval: Input should be greater"),
        ("max-body-mb", 0.0, "Config max-body-mb: Input should be greater"),
        ("web-workers", 17, "Config web-workers: Input should be less"),
        ("keep-deliveries-days", 0.0, "Config keep-deliveries-days: Input should be greater"),
        ("keep-deliveries-mb", 0.0, "Config keep-deliveries-mb: Input should be greater"),
        ("trusted-proxies", "house", "Config trusted-proxies: must be a network"),
        ("user", "no such; name", "Config user: String should match pattern"),
        ("user", "build-hook", "Config user: must not be build-hook"),
    ],
)
def test_wrong_config_says_how_to_mend_it_and_changes_nothing(
    hook, world, machine, option, value, reason
):
    good = hook.run(hook.on.start(), world(project()))
    files = machine.snapshot()
    machine.changes.clear()

    state = hook.run(
        hook.on.config_changed(),
        world(*good.get_relations("project"), config={option: value}, secrets=good.secrets),
    )

    assert isinstance(state.unit_status, ops.BlockedStatus)
    assert state.unit_status.message.startswith(reason)
    assert f"juju config build-hook {option}=VALUE" in state.unit_status.message
    assert machine.changes == []
    assert machine.snapshot() == files


# --- projects ------------------------------------------------------------------------------


def test_project_is_registered(hook, world, machine):
    relation = project(
        ref="main",
        build={"dockerfile": "Containerfile", "args": [{"name": "A", "value": "1"}]},
        environment=[{"name": "MODE", "value": "staging"}],
        health={"path": "/up", "timeout": 5},
        watch=1,
        service={"init": True, "tmpfs": ["/run"]},
    )

    state = hook.run(hook.on.relation_changed(relation), world(relation))

    assert registry(machine) == [
        {
            "name": "docker-selfoss",
            "repository": SELFOSS["repository"],
            "webhook_secrets": [webhook_file(machine, "docker-selfoss").name],
            "build": {"dockerfile": "Containerfile", "args": {"A": "1"}},
            "ports": [{"target": 80, "published": 9000}],
            "environment": {"MODE": "staging"},
            "tmpfs": ["/run"],
            "init": True,
            "health": {"path": "/up", "timeout": 5.0},
            "watch": 1.0,
        }
    ]
    assert state.unit_status == ops.ActiveStatus("1 registered: docker-selfoss")
    assert state.opened_ports == {ops.testing.TCPPort(8080), ops.testing.TCPPort(9000)}


def test_project_is_told_its_webhook(hook, world, machine):
    relation = project()

    state = hook.run(hook.on.relation_changed(relation), world(relation))

    assert said(state, relation) == {"webhook_url": "http://192.0.2.0:8080/hooks/docker-selfoss"}
    secret = next(iter(state.secrets))
    bag = state.get_relation(relation.id).local_app_data
    assert json.loads(bag["secret_id"]) == secret.id
    assert secret.remote_grants == {relation.id: {"docker-selfoss"}}
    value = webhook_file(machine, "docker-selfoss").read_text()
    assert secret.latest_content == {"webhook-secret": value}
    assert value not in json.dumps(registry(machine))


def test_secret_files_are_for_web_alone(hook, world, machine):
    relation = project()

    hook.run(hook.on.relation_changed(relation), world(relation))

    path = webhook_file(machine, "docker-selfoss")
    assert path.stat().st_mode & 0o7777 == 0o600


def test_public_url_is_what_projects_are_told(hook, world):
    relation = project()

    state = hook.run(
        hook.on.relation_changed(relation),
        world(relation, config={"public-url": "https://hooks.example.com/"}),
    )

    assert said(state, relation)["webhook_url"] == "https://hooks.example.com/hooks/docker-selfoss"


def test_last_build_is_told(hook, world, history):
    live = history.live("docker-selfoss", "c0ffee")
    history.failed("docker-selfoss", "exit 1")
    relation = project()
    state = hook.run(hook.on.relation_changed(relation), world(relation))

    state = hook.run(hook.on.update_status(), state)

    assert said(state, relation)["last"] == {"build": 2, "phase": "failed", "reason": "exit 1"}
    serving = {"build": 1, "phase": "live", "commit": "c0ffee", "finished": live.finished}
    assert said(state, relation)["serving"] == serving
    assert state.unit_status == ops.ActiveStatus(
        "docker-selfoss: build 2 failed: exit 1; see the logs action with project=docker-selfoss"
    )


def test_the_end_of_a_build_is_an_event(hook, world, history):
    relation = project()
    state = hook.run(hook.on.relation_changed(relation), world(relation))
    history.live("docker-selfoss", "c0ffee")

    state = hook.run(charms.custom_event("builds_changed"), state)

    assert said(state, relation)["last"] == {"build": 1, "phase": "live"}


def test_the_machine_brings_that_event(hook, world, machine):
    hook.run(hook.on.start(), world())

    told = unit_text(machine, "build-hook-report.service")
    assert 'juju-exec build-hook/0 "JUJU_DISPATCH_PATH=hooks/builds_changed ./dispatch"' in told
    watched = machine.folder / "state/run/worker.json"
    assert f"PathChanged={watched}\n" in unit_text(machine, "build-hook-report.path")


def test_what_stands_in_the_way_is_told(hook, world, history):
    problem = "Port 9000 is used by another program"
    history.problem("docker-selfoss", problem)
    relation = project()

    state = hook.run(hook.on.relation_changed(relation), world(relation))

    assert state.unit_status == ops.BlockedStatus(f"docker-selfoss: {problem}")
    assert said(state, relation)["refused"] == problem


@pytest.mark.parametrize("what", ["registry", "engine", "web"])
def test_what_is_wrong_as_a_whole_is_told(hook, world, history, what):
    history.ill(**{what: "It is broken. Mend it"})

    state = hook.run(hook.on.start(), world())

    assert state.unit_status == ops.BlockedStatus("It is broken. Mend it")


def test_a_product_that_cannot_tell_is_no_error(hook, world, machine):
    (machine.folder / "state").mkdir()
    (machine.folder / "state" / "build-hook.db").write_text("not a database at all")
    relation = project()

    state = hook.run(hook.on.relation_changed(relation), world(relation))

    assert state.unit_status == ops.ActiveStatus("1 registered: docker-selfoss")


def test_changed_project_is_updated_without_a_restart(hook, world, machine):
    relation = project()
    state = hook.run(hook.on.relation_changed(relation), world(relation))
    machine.changes.clear()
    changed = project(ports=[{"target": 80, "published": 9001}])

    _change(hook, state, relation, changed)

    assert registry(machine)[0]["ports"] == [{"target": 80, "published": 9001}]
    assert machine.changes == []


def test_removed_relation_unregisters(hook, world, machine):
    relation = project()
    state = hook.run(hook.on.relation_changed(relation), world(relation))

    state = hook.run(hook.on.relation_broken(state.get_relation(relation.id)), state)

    assert registry(machine) == []
    assert list((machine.folder / "state/secrets").iterdir()) == []
    assert state.opened_ports == {ops.testing.TCPPort(8080)}


def test_a_project_that_has_said_nothing_waits(hook, world, machine):
    relation = project(repository=None, ports=None)

    state = hook.run(hook.on.relation_created(relation), world(relation))

    assert registry(machine) == []
    assert state.unit_status == ops.WaitingStatus(
        "docker-selfoss has not said which repository it is yet"
    )
    assert said(state, relation) == {}


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"ref": "../up"}, "ref: is not a valid git ref name"),
        ({"repository": "ext::sh -c x"}, "repository: must be an https, http, ssh or git URL"),
        ({"ports": [{"target": 80, "published": 0}]}, "ports.0.published: Input should be"),
        ({"ports": "80"}, "ports: Input should be a valid"),
        ({"ports": [{"target": 80}]}, "ports.0.published: Field required"),
        ({"environment": [{"value": "x"}]}, "environment: a value has no name"),
        ({"service": {"secrets": ["x"]}}, "service: secrets cannot be set"),
        ({"service": {"env_file": ["x"]}}, "service: env_file cannot be set"),
        ({"service": {"build": {"secrets": ["x"]}}}, "service: secrets cannot be set"),
        ({"settings": {"name": "x"}}, "settings: name cannot be set"),
        ({"settings": {"allow_unsigned": True}}, "settings: allow_unsigned cannot be set"),
        ({"settings": {"a": [{"env_file": ["x"]}]}}, "settings: env_file cannot be set"),
        ({"settings": {"colour": "blue"}}, "colour: "),
        ({"service": {"shm_size": []}}, "shm_size: "),
        ({"build": {"context": "../.."}}, "build.context: must be a path inside"),
        ({"ports": [{"target": 1, "published": 8080}]}, "port 8080 belongs to the webhook server"),
    ],
)
def test_wrong_project_is_named_and_stays_as_it_was(hook, world, machine, fields, problem):
    relation = project()
    state = hook.run(hook.on.relation_changed(relation), world(relation))
    before = registry(machine)
    wrong = project(**fields)

    state = _change(hook, state, relation, wrong)

    assert registry(machine) == before
    assert isinstance(state.unit_status, ops.BlockedStatus)
    assert state.unit_status.message.startswith(f"docker-selfoss: {problem}")
    assert said(state, relation)["refused"].startswith(problem)


def test_the_one_that_has_a_port_keeps_it(hook, world, machine):
    first = project(app="zebra")
    state = hook.run(hook.on.relation_changed(first), world(first))
    second = project(app="ant")

    state = hook.run(
        hook.on.relation_changed(second),
        world(state.get_relation(first.id), second, secrets=state.secrets),
    )

    assert [p["name"] for p in registry(machine)] == ["zebra"]
    assert state.unit_status == ops.BlockedStatus(
        "ant: zebra and ant both publish port 9000 without hosts: give all but one of them host "
        "names, or another port"
    )


def test_two_projects_of_one_name(hook, world, machine):
    first, second = project(app="one", name="same"), project(app="two", name="same", ports=[])

    state = hook.run(hook.on.relation_changed(second), world(first, second))

    assert [p["name"] for p in registry(machine)] == ["same"]
    assert "the name same belongs to one; choose another" in state.unit_status.message


def test_a_project_of_2015_is_registered(hook, world, machine):
    relation = dockerfile_testing.relation_of_2015(
        app="docker-mumble", repository="https://git.example.com/chuck/docker-mumble"
    )

    state = hook.run(hook.on.relation_changed(relation), world(relation))

    assert registry(machine) == [
        {
            "name": "docker-mumble",
            "repository": "https://git.example.com/chuck/docker-mumble",
            "ref": "refs/heads/master",
            "webhook_secrets": [webhook_file(machine, "docker-mumble").name],
            "strategy": "script",
            "script": {},
        }
    ]
    assert isinstance(state.unit_status, ops.ActiveStatus)


def test_a_project_of_2015_without_a_script_is_built_from_its_dockerfile(hook, world, machine):
    relation = dockerfile_testing.relation_of_2015(app="docker-mumble", buildscript="")

    hook.run(hook.on.relation_changed(relation), world(relation))

    (entry,) = registry(machine)
    assert "strategy" not in entry


def test_a_script_of_2015_outside_its_repository_is_refused(hook, world, machine):
    relation = dockerfile_testing.relation_of_2015(app="docker-mumble", buildscript="/bin/sh")

    state = hook.run(hook.on.relation_changed(relation), world(relation))

    assert registry(machine) == []
    assert state.unit_status == ops.BlockedStatus(
        "docker-mumble: script.build: must be a path inside the repository, without '..'"
    )


def scripted():
    return project(strategy="script", settings={"script": {"build": "ops/b.sh", "path": "/srv/x"}})


def test_scripts_and_where_they_run_reach_the_registry(hook, world, machine):
    relation = scripted()

    hook.run(hook.on.relation_changed(relation), world(relation))

    (entry,) = registry(machine)
    assert (entry["strategy"], entry["script"]) == (
        "script",
        {"build": "ops/b.sh", "path": "/srv/x"},
    )


@pytest.mark.parametrize(
    ("relation", "config", "helper"),
    [
        (scripted(), {}, "/home/ubuntu/hooked/build-hook.py"),
        (scripted(), {"user": "builder"}, "/builder/hooked/build-hook.py"),
        (scripted(), {"script-helper": "/opt/h.py"}, "/opt/h.py"),
        (project(), {"script-helper": "/opt/h.py"}, "/opt/h.py"),
        (project(), {}, None),
    ],
)
def test_scripts_find_the_helper_of_2015(hook, world, machine, relation, config, helper):
    hook.run(hook.on.relation_changed(relation), world(relation, config=config))

    text = unit_text(machine, "build-hook-worker.service")
    assert ("BUILD_HOOK_SCRIPT_HELPER" in text) is (helper is not None)
    assert helper is None or f'{helper}"' in text


@pytest.mark.parametrize(
    "relation",
    [
        project(machine="another-model:0"),
        project(machine=HERE.replace(":0", ":1")),
        dockerfile_testing.relation_of_2015(app="docker-selfoss", address="192.0.2.99"),
    ],
    ids=["another model", "another machine", "another address"],
)
def test_a_project_on_another_machine_is_reported(hook, world, machine, relation):
    state = hook.run(hook.on.relation_changed(relation), world(relation))

    assert registry(machine) == []
    assert state.unit_status == ops.BlockedStatus(
        "docker-selfoss is on another machine: "
        "juju add-unit docker-selfoss --to the machine of this unit"
    )
    assert said(state, relation) == {"refused": "build-hook/0 is on another machine"}


def test_with_several_hosts_other_units_serve_what_is_not_here(hook, world):
    relation = project(machine=HERE.replace(":0", ":1"))
    state = world(relation, planned_units=0)  # which is what Juju says of subordinates
    others = [each for each in state.relations if each.endpoint != "peers"]
    two = ops.testing.PeerRelation("peers", peers_data={1: {}})

    state = hook.run(
        hook.on.relation_changed(relation), dataclasses.replace(state, relations=[*others, two])
    )

    assert isinstance(state.unit_status, ops.ActiveStatus)


def test_a_spoiled_registry_is_written_anew(hook, world, machine):
    relation = project()
    state = hook.run(hook.on.relation_changed(relation), world(relation))
    (machine.folder / "state/registry.json").write_text("{")

    hook.run(hook.on.update_status(), state)

    assert [p["name"] for p in registry(machine)] == ["docker-selfoss"]


# --- several units -------------------------------------------------------------------------


def test_a_unit_that_does_not_lead_uses_the_secret_of_the_leader(hook, world, machine):
    relation = project()
    secret = ops.testing.Secret({"webhook-secret": "s3cret"}, id="secret:one", owner="app")
    entries = [{"app": "docker-selfoss", "id": "secret:one", "revision": 1}]
    shared = ops.testing.PeerRelation(
        "peers", local_app_data={"secrets": json.dumps(entries)}, peers_data={1: {}}
    )
    base = world(relation, leader=False, secrets=[secret])
    state = ops.testing.State(
        leader=False,
        model=base.model,
        secrets=[secret],
        relations=[r for r in base.relations if r.endpoint != "peers"] + [shared],
    )

    state = hook.run(hook.on.relation_changed(shared, remote_unit=1), state)

    assert webhook_file(machine, "docker-selfoss").read_text() == "s3cret"
    assert state.get_relation(relation.id).local_app_data == {}


def test_without_a_secret_yet_nothing_unsigned_is_let_in(hook, world, machine):
    relation = project()

    hook.run(hook.on.relation_changed(relation), world(relation, leader=False))

    assert "webhook_secrets" not in registry(machine)[0]
    assert "allow" not in json.dumps(registry(machine))


def test_api_says_where_web_is(hook, world):
    relation = ops.testing.Relation("api")

    state = hook.run(hook.on.relation_created(relation), world(relation))

    bag = state.get_relation(relation.id).local_unit_data
    assert (bag["hostname"], bag["port"]) == ("192.0.2.0", "8080")


# --- many projects -------------------------------------------------------------------------


@pytest.mark.alone
def test_a_thousand_projects_are_written_in_no_time(hook, world, machine):
    import service
    import state
    from build_hook import registry as registry_file

    (machine.folder / "state").mkdir()
    relations = [
        project(app=f"p{n}", ports=[{"target": 80, "published": 20_000 + n}]) for n in range(1000)
    ]
    with hook(hook.on.update_status(), world(*relations, leader=False)) as manager:
        charm, nothing = manager.charm, registry_file.Registry()
        options = charm.options
        wanted = state.desired(options, charm.requests, {}, {}, nothing, "192.0.2.0").registry
        taken = []
        for contents in (wanted, nothing) * 3:  # the best of three: the disk is everybody's
            started = time.perf_counter()
            assert service.ensure_registry(options.product, contents)
            taken.append(time.perf_counter() - started)
        assert service.ensure_registry(options.product, wanted)
        assert not service.ensure_registry(options.product, wanted)

        assert min(taken[::2]) < 0.2
        assert len(registry(machine)) == 1000


def _change(hook, state, relation, wanted):
    """The remote application writes what the relation ``wanted`` has."""
    present = dataclasses.replace(
        state.get_relation(relation.id), remote_app_data=wanted.remote_app_data
    )
    others = [r for r in state.relations if r.id != relation.id]
    changed = dataclasses.replace(state, relations=[*others, present])
    return hook.run(hook.on.relation_changed(present, remote_unit=0), changed)
