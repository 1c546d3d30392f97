"""The dockerfile charm: config in, databags and status out."""

import json

import ops
import ops.testing
import pytest
import yaml
from charms.docker_build_hook.v0 import dockerfile_testing

from tests.scenario import charms
from tests.scenario.conftest import HERE, MODEL_UUID

SECRET = "secret:cvq8gh8sr2lc7dpjv9j0"
REPOSITORY = "https://git.example.com/chuck/docker-selfoss.git"


def state(*relations, config=None, **facts):
    options = {"repository": REPOSITORY, **(config or {})}
    options = {key: value for key, value in options.items() if value is not None}
    defaults = {"leader": True, "model": ops.testing.Model(uuid=MODEL_UUID)}
    return ops.testing.State(relations=relations, config=options, **{**defaults, **facts})


def published(out, relation):
    bag = out.get_relation(relation.id).local_app_data
    return {key: json.loads(value) for key, value in bag.items()}


def answer(**fields):
    return dockerfile_testing.relation_for_project(**{"machine": HERE, **fields})


def test_publishes_today_and_2015(selfoss):
    relation = ops.testing.Relation("project")

    out = selfoss.run(
        selfoss.on.config_changed(), state(relation, config={"build-script": "build.sh"})
    )

    assert published(out, relation) == {
        "name": "docker-selfoss",
        "repository": REPOSITORY,
        "strategy": "script",
        "settings": {"script": {"build": "build.sh"}},
    }
    unit = out.get_relation(relation.id).local_unit_data
    assert unit["repository"] == REPOSITORY
    assert unit["buildscript"] == "build.sh"
    assert unit["localpath"] == "/home/ubuntu/dockerfile/docker-selfoss"
    assert unit["machine"] == HERE


@pytest.mark.parametrize(
    ("config", "strategy", "settings"),
    [
        (
            {"build-script": "ops/build.sh", "path": "/srv/x"},
            "script",
            {"script": {"build": "ops/build.sh", "path": "/srv/x"}},
        ),
        (
            {"build-script": "build.sh", "settings": "{lfs: true, script: {overlap: false}}"},
            "script",
            {"lfs": True, "script": {"build": "build.sh", "overlap": False}},
        ),
        ({"build-script": "build.sh", "strategy": "script"}, "script",
         {"script": {"build": "build.sh"}}),
        ({"build-script": "build.sh", "strategy": "rolling"}, "rolling", None),
        ({"path": "/srv/x"}, None, None),
    ],
)  # fmt: skip
def test_a_build_script_builds_unless_another_strategy_is_asked_for(
    selfoss, config, strategy, settings
):
    relation = ops.testing.Relation("project")

    out = selfoss.run(selfoss.on.config_changed(), state(relation, config=config))

    said = published(out, relation)
    assert (said.get("strategy"), said.get("settings")) == (strategy, settings)


def test_a_build_hook_of_2015_is_told_the_path(selfoss):
    relation = ops.testing.Relation("project")

    out = selfoss.run(selfoss.on.config_changed(), state(relation, config={"path": "/srv/x/"}))

    unit = out.get_relation(relation.id).local_unit_data
    assert unit["localpath"] == "/srv/x/docker-selfoss"


@pytest.mark.parametrize(
    ("option", "value", "field", "wire"),
    [
        ("ref", "stable", "ref", "stable"),
        ("tags", "v*", "tags", "v*"),
        ("provider", "gitlab", "provider", "gitlab"),
        ("allow-sha1", True, "allow_sha1", True),
        ("after-ci", True, "after_ci", True),
        ("cancel-running", True, "cancel_running", True),
        ("branches", "release/*", "branches", "release/*"),
        ("strategy", "recreate", "strategy", "recreate"),
        ("allow-from", "192.0.2.1\n10.0.0.0/8", "allow_from", ["192.0.2.1", "10.0.0.0/8"]),
        ("paths", "src/**\n\nlib/**", "paths", ["src/**", "lib/**"]),
        ("skip-words", "[wip]\nno build", "skip_words", ["[wip]", "no build"]),
        ("context", "app", "build", {"context": "app"}),
        ("dockerfile", "Containerfile", "build", {"dockerfile": "Containerfile"}),
        ("build-args", "A=1\nB=x=y", "build",
         {"args": [{"name": "A", "value": "1"}, {"name": "B", "value": "x=y"}]}),
        ("build-target", "run", "build", {"target": "run"}),
        ("build-timeout", 60.0, "build", {"timeout": 60.0}),
        ("ports", "9000:80, 64738:64738/tcp", "ports",
         [{"target": 80, "published": 9000},
          {"target": 64738, "published": 64738, "app_protocol": "tcp"}]),
        ("ports", "53:5353/udp", "ports",
         [{"target": 5353, "published": 53, "protocol": "udp"}]),
        ("image", "registry.example.com/app:1", "image", "registry.example.com/app:1"),
        ("environment-secret", SECRET, "environment_secret", SECRET),
        ("access-secret", SECRET, "access_secret", SECRET),
        ("build-secret", SECRET, "build_secret", SECRET),
        ("settings", "{build: {pull: true}}", "settings", {"build": {"pull": True}}),
        ("environment", "MODE=a b\nEMPTY=", "environment",
         [{"name": "MODE", "value": "a b"}, {"name": "EMPTY", "value": ""}]),
        ("command", "serve --name 'two words'", "command", ["serve", "--name", "two words"]),
        ("volumes", "data:/data\n/srv:/srv:ro", "volumes", ["data:/data", "/srv:/srv:ro"]),
        ("stop-grace-period", 3.0, "stop_grace_period", 3.0),
        ("stop-grace-period", 0.0, "stop_grace_period", 0.0),
        ("service", "{init: true, tmpfs: [/run]}", "service", {"init": True, "tmpfs": ["/run"]}),
        ("limit-cpus", 1.5, "service", {"deploy": {"resources": {"limits": {"cpus": 1.5}}}}),
        ("limit-memory", "512m", "service",
         {"deploy": {"resources": {"limits": {"memory": "512m"}}}}),
        ("limit-pids", 99, "service", {"deploy": {"resources": {"limits": {"pids": 99}}}}),
        ("health-path", "/up", "health", {"path": "/up"}),
        ("health-port", 81, "health", {"port": 81}),
        ("health-timeout", 5.0, "health", {"timeout": 5.0}),
        ("health-interval", 0.2, "health", {"interval": 0.2}),
        ("health-successes", 4, "health", {"successes": 4}),
        ("health-min-uptime", 0.0, "health", {"min_uptime": 0.0}),
        ("drain", 1.0, "drain", 1.0),
        ("watch", 0.0, "watch", 0.0),
    ],
)  # fmt: skip
def test_option_reaches_the_build_hook(selfoss, option, value, field, wire):
    relation = ops.testing.Relation("project")

    granted = [ops.testing.Secret({"environment": "A=1"}, id=SECRET)]

    out = selfoss.run(
        selfoss.on.config_changed(), state(relation, config={option: value}, secrets=granted)
    )

    assert published(out, relation)[field] == wire


def test_every_option_has_a_test():
    options = yaml.safe_load((charms.FOLDERS["dockerfile"] / "config.yaml").read_text())["options"]
    (mark,) = vars(test_option_reaches_the_build_hook)["pytestmark"]
    tested = {case[0] for case in mark.args[1]}

    shared_by_ports = {"hosts", "certificates"}
    assert set(options) - tested == {"repository", "build-script", "path", *shared_by_ports}


def test_limits_join_the_run_settings_which_come_first(selfoss):
    relation = ops.testing.Relation("project")
    config = {"limit-memory": "1g", "limit-cpus": 2.0, "service": "{init: true}"}
    own = {"limit-memory": "1g", "service": "{deploy: {replicas: 2}}"}

    out = selfoss.run(selfoss.on.config_changed(), state(relation, config=config))
    other = selfoss.run(selfoss.on.config_changed(), state(relation, config=own))

    limits = {"cpus": 2.0, "memory": "1g"}
    assert published(out, relation)["service"] == {
        "init": True,
        "deploy": {"resources": {"limits": limits}},
    }
    assert published(other, relation)["service"] == {
        "deploy": {"replicas": 2, "resources": {"limits": {"memory": "1g"}}}
    }


@pytest.mark.parametrize("option", ["hosts", "certificates"])
def test_ports_of_tcp_share_an_option(selfoss, option):
    relation = ops.testing.Relation("project")
    config = {option: "shop.example.com, other", "ports": "443:80 25:25/tcp 53:53/udp"}

    out = selfoss.run(selfoss.on.config_changed(), state(relation, config=config))

    said = [port.get(option) for port in published(out, relation)["ports"]]
    assert said == [["shop.example.com", "other"], ["shop.example.com", "other"], None]


def test_an_image_needs_no_repository(selfoss):
    relation = ops.testing.Relation("project")
    config = {"repository": None, "image": "registry.example.com/app:1"}

    out = selfoss.run(selfoss.on.config_changed(), state(relation, config=config))

    assert published(out, relation) == {
        "name": "docker-selfoss",
        "image": "registry.example.com/app:1",
    }


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"repository": None}, "Config repository: is not set. Use: juju config docker-selfoss "
         "repository=URL"),
        ({"repository": "  "}, "Config repository: is not set"),
        ({"ports": "80"}, "Config ports: '80' is not PUBLISHED:TARGET"),
        ({"ports": "80:80/sctp"}, "Config ports: '80:80/sctp' is not PUBLISHED"),
        ({"settings": "{"}, "Config settings: is not YAML"),
        ({"environment": "MODE"}, "Config environment: 'MODE' is not NAME=value"),
        ({"environment": "A=1\nA=2"}, "Config environment: sets one name twice"),
        ({"build-args": "1A=x"}, "Config build-args: '1A=x' is not NAME=value"),
        ({"service": "{"}, "Config service: is not YAML"),
        ({"service": "[a]"}, "Config service: is not a mapping"),
        ({"command": "serve 'open"}, "Config command: No closing quotation"),
    ],
)  # fmt: skip
def test_wrong_config_says_how_to_mend_it_and_publishes_nothing(selfoss, config, sentence):
    relation = ops.testing.Relation("project", local_app_data={"repository": '"as it was"'})

    out = selfoss.run(selfoss.on.config_changed(), state(relation, config=config))

    assert isinstance(out.unit_status, ops.BlockedStatus)
    assert out.unit_status.message.startswith(sentence)
    assert "juju config docker-selfoss " in out.unit_status.message
    assert published(out, relation) == {"repository": "as it was"}


def test_status_without_a_build_hook(selfoss):
    out = selfoss.run(selfoss.on.config_changed(), state())

    assert out.unit_status == ops.BlockedStatus(
        "Not related to a build hook: juju integrate docker-selfoss:project build-hook"
    )


def test_status_before_the_build_hook_answers(selfoss):
    relation = ops.testing.Relation("project", remote_units_data={})

    out = selfoss.run(selfoss.on.relation_created(relation), state(relation))

    assert out.unit_status == ops.WaitingStatus("Waiting for the build hook")


def test_status_on_a_machine_without_build_hook(selfoss):
    relation = answer(machine="another:0")

    out = selfoss.run(selfoss.on.update_status(), state(relation))

    assert out.unit_status == ops.BlockedStatus(
        "No build hook on this machine: "
        "juju add-unit docker-selfoss --to a Docker host that has one"
    )


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"refused": "port 80 belongs to another"},
         ops.BlockedStatus("build-hook/0 refuses: port 80 belongs to another")),
        ({}, ops.ActiveStatus(
            "Registered, nothing serves yet: push to http://192.0.2.1:8080/hooks/build-hook")),
        ({"last": {"build": 1, "phase": "failed", "reason": "exit 1"}},
         ops.ActiveStatus("Build 1 failed: exit 1; nothing serves")),
        ({"serving": {"build": 1, "commit": "c0ffee1234", "finished": 1}},
         ops.ActiveStatus("Serves c0ffee12, 2 h old, at http://192.0.2.0:9000")),
        ({"serving": {"commit": "c0ffee1234"}, "last": {"build": 2, "phase": "live"}},
         ops.ActiveStatus("Serves c0ffee12, at http://192.0.2.0:9000")),
        ({"serving": {"commit": "c0ffee1234"}, "last": {"build": 2, "phase": "rolled-back"}},
         ops.ActiveStatus("Build 2 rolled-back: see its log. "
                          "Serves c0ffee12, at http://192.0.2.0:9000")),
    ],
)  # fmt: skip
def test_status_tells_what_serves(selfoss, monkeypatch, fields, status):
    standing = charms.part("dockerfile", "standing")

    monkeypatch.setattr(standing.time, "time", lambda: 7300.0)
    out = selfoss.run(
        selfoss.on.update_status(), state(answer(**fields), config={"ports": "9000:80"})
    )

    assert out.unit_status == status


@pytest.mark.parametrize(
    ("config", "url"),
    [
        ({"ports": "64738:64738/udp"}, "udp://192.0.2.0:64738"),
        ({"ports": "64738:64738/tcp 64738:64738/udp"}, "tcp://192.0.2.0:64738"),
        ({"ports": "443:80", "certificates": "shop"}, "https://192.0.2.0"),
        ({"ports": "993:143/tcp", "certificates": "mail"}, "tls://192.0.2.0:993"),
        ({"ports": "80:80", "hosts": "shop.example.com b.example.com"}, "http://shop.example.com"),
        ({"ports": "80:80", "hosts": "*.example.com"}, "http://192.0.2.0"),
    ],
)
def test_status_tells_where(selfoss, config, url):
    serves = answer(serving={"commit": "c0ffee1234"})

    out = selfoss.run(selfoss.on.update_status(), state(serves, config=config))

    assert out.unit_status == ops.ActiveStatus(f"Serves c0ffee12, at {url}")


def test_an_ipv6_address_is_bracketed(selfoss):
    network = ops.testing.Network("project", ingress_addresses=["2001:db8::1"])
    serves = answer(serving={"commit": "c0ffee1234"})
    config = {"ports": "9000:80"}

    out = selfoss.run(selfoss.on.update_status(), state(serves, config=config, networks={network}))

    assert out.unit_status == ops.ActiveStatus("Serves c0ffee12, at http://[2001:db8::1]:9000")


def test_status_before_the_build_hook_has_registered_it(selfoss):
    out = selfoss.run(selfoss.on.update_status(), state(answer(webhook_url=None)))

    assert out.unit_status == ops.WaitingStatus(
        "Waiting for the build hook to register the project"
    )


def test_webhook(selfoss):
    out = selfoss.run(selfoss.on.action("get-webhook"), state(answer()))

    assert selfoss.action_results == {
        "build-hook-0": {
            "url": "http://192.0.2.1:8080/hooks/build-hook",
            "content-type": "application/json",
            "secret-id": "secret:webhook",
        }
    }
    assert isinstance(out.unit_status, ops.ActiveStatus)


def test_webhook_revealed(selfoss):
    secret = ops.testing.Secret({"webhook-secret": "s3cret"}, id="secret:webhook")

    selfoss.run(
        selfoss.on.action("get-webhook", params={"reveal": True}),
        state(answer(), secrets=[secret]),
    )

    assert selfoss.action_results["build-hook-0"]["secret"] == "s3cret"


def test_webhook_whose_secret_is_gone_or_not_granted_yet(selfoss):
    with pytest.raises(ops.testing.ActionFailed, match="The secret cannot be read yet"):
        selfoss.run(selfoss.on.action("get-webhook", params={"reveal": True}), state(answer()))


def test_webhook_that_is_not_there_yet(selfoss):
    with pytest.raises(ops.testing.ActionFailed, match="No build hook has registered"):
        selfoss.run(selfoss.on.action("get-webhook"), state(answer(webhook_url=None)))


EVENTS = (
    "config_changed", "leader_elected", "upgrade_charm", "update_status", "relation_created",
    "relation_joined", "relation_changed", "relation_departed",
)  # fmt: skip


@pytest.mark.parametrize("name", EVENTS)
def test_event_twice_writes_nothing_the_second_time(selfoss, name, monkeypatch):
    relation = answer()
    once = _fire(selfoss, name, state(relation), relation)
    writes = []
    monkeypatch.setattr(
        ops.model._ModelBackend, "relation_set", lambda *args, **kw: writes.append(args)
    )

    again = _fire(selfoss, name, once, relation)

    assert writes == []
    assert again.relations == once.relations
    assert published(once, relation)["repository"] == REPOSITORY


def test_relation_broken(selfoss):
    relation = answer()

    out = selfoss.run(selfoss.on.relation_broken(relation), state(relation))

    assert isinstance(out.unit_status, ops.BlockedStatus)


def test_branded_charm_publishes():
    import importlib.util

    path = charms.ROOT / "examples" / "branded-charm" / "src" / "charm.py"
    spec = importlib.util.spec_from_file_location("charm_of_selfoss", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    root = path.parents[1]
    context = ops.testing.Context(
        module.SelfossCharm,
        meta=yaml.safe_load((root / "metadata.yaml").read_text()),
        config=yaml.safe_load((root / "config.yaml").read_text()),
    )
    relation = ops.testing.Relation("project")

    out = context.run(
        context.on.relation_created(relation),
        ops.testing.State(leader=True, relations=[relation]),
    )

    said = published(out, relation)
    assert said["repository"] == "https://git.example.com/team/selfoss.git"
    assert said["ports"] == [{"target": 80, "published": 9000}]


def _fire(context, name, before, relation):
    if not name.startswith("relation"):
        return context.run(getattr(context.on, name)(), before)
    present = before.get_relation(relation.id)
    extra = {} if name == "relation_created" else {"remote_unit": 0}
    return context.run(getattr(context.on, name)(present, **extra), before)


@pytest.fixture
def command(selfoss, tmp_path, monkeypatch):
    hook_command = charms.part("dockerfile", "hook_command")
    program = tmp_path / "build-hook"
    monkeypatch.setattr(hook_command, "COMMAND", program)

    def install(text):
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)

    return install


LIVE = """printf '{"id": 7, "phase": "live", "reason": null, "said": "%s"}' "$*" """


@pytest.mark.parametrize(
    ("action", "parameters", "said"),
    [
        ("deploy", {}, "deploy docker-selfoss --json"),
        (
            "deploy",
            {"ref": "side", "wait": True},
            "deploy docker-selfoss --ref side --wait --json",
        ),
        ("rollback", {"to": 3}, "rollback docker-selfoss --to 3 --json"),
        ("rollback", {"wait": True}, "rollback docker-selfoss --wait --json"),
    ],
)
def test_a_build_is_asked_for(selfoss, command, action, parameters, said):
    command(LIVE)

    selfoss.run(selfoss.on.action(action, params=parameters), state())

    assert selfoss.action_results["build"] == 7
    assert json.loads(selfoss.action_results["details"])["said"] == said


def test_a_build_that_failed_fails_the_action(selfoss, command):
    command("""echo '{"id": 7, "phase": "failed", "reason": "exit 1"}'; exit 1""")

    with pytest.raises(ops.testing.ActionFailed, match="Build 7 failed: exit 1"):
        selfoss.run(selfoss.on.action("deploy", params={"wait": True}), state())


def test_a_refusal_is_the_build_hooks_sentence(selfoss, command):
    command("echo 'build-hook: There is no project docker-selfoss' >&2; exit 1")

    with pytest.raises(ops.testing.ActionFailed, match=r"^There is no project docker-selfoss$"):
        selfoss.run(selfoss.on.action("rollback"), state())


def test_without_a_build_hook_there_is_nobody_to_ask(selfoss, command):
    with pytest.raises(ops.testing.ActionFailed, match="no build hook on this machine"):
        selfoss.run(selfoss.on.action("deploy"), state())


@pytest.mark.parametrize("ref", ["--upload-pack=x", "a b", "a..b^"])
def test_what_is_no_ref_is_refused(selfoss, command, ref):
    command(LIVE)

    with pytest.raises(ops.testing.ActionFailed):
        selfoss.run(selfoss.on.action("deploy", params={"ref": ref}), state())
