"""The emulator does as Juju's documentation says: probes are charms that run hook commands."""

import json
import os
import stat
import sys
import zipfile

import pytest
import yaml

from tests.formation import entities, machines, model
from tests.formation.charmfile import RefusedError

# Runs the commands that plan.json has for the hook, and notes what they say.
DISPATCH = (
    f"#!{os.path.realpath(sys.executable)} -SI"
    + """
import json, os, pathlib, subprocess, sys
here = pathlib.Path(__file__).parent
hook = os.environ["JUJU_DISPATCH_PATH"].partition("/")[2]
plan = json.loads((here / "plan.json").read_text())
notes = {k: v for k, v in os.environ.items() if k.startswith("JUJU_")}
said = []
for argv in plan.get(hook, []):
    if argv == ["fail"]:
        sys.exit(1)
    stdin = argv.pop() if "--file" in argv else None
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True)
    said.append([done.returncode, done.stdout.strip(), done.stderr.strip()])
with (here / "said.jsonl").open("a") as file:
    file.write(json.dumps({"hook": hook, "said": said, "env": notes}) + "\\n")
"""
)
PROVIDER = {"name": "db", "provides": {"out": {"interface": "sql"}}}
REQUIRER = {"name": "web", "requires": {"in": {"interface": "sql", "limit": 1}}}
PRINCIPAL = {"name": "host"}
SUBORDINATE = {
    "name": "sub",
    "subordinate": True,
    "requires": {"host": {"interface": "juju-info", "scope": "container"}},
    "peers": {"peers": {"interface": "sub-peers"}},
}


class World:
    """A model with probes in a temporary folder."""

    def __init__(self, folder):
        self.folder = folder
        self.model = model.Model(folder / "m", self.make)

    def make(self, number, agent):
        return machines.Folder(number, agent, self.folder / "machines")

    def charm(self, metadata, plan=None, **files):
        path = self.folder / f"{metadata['name']}.charm"
        contents = {"metadata": metadata, **files}
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in contents.items():
                archive.writestr(f"{name}.yaml", yaml.safe_dump(content))
            archive.writestr("plan.json", json.dumps(plan or {}))
            entry = zipfile.ZipInfo("dispatch")
            entry.external_attr = (stat.S_IFREG | 0o755) << 16
            archive.writestr(entry, DISPATCH)
        return path

    def deploy(self, metadata, plan=None, name=None, to=("0",), config=None, **files):
        archive = self.charm(metadata, plan, **files)
        placed = () if metadata.get("subordinate") else to
        return self.model.deploy(archive, name or metadata["name"], config, placed)

    def notes(self, unit):
        machine = self.model.unit(unit).machine
        path = self.folder / "machines" / machine.id / machines.tag(unit) / "charm/said.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()]

    def hooks(self, unit):
        return [note["hook"] for note in self.notes(unit)]

    def said(self, unit, hook):
        return [s for note in self.notes(unit) if note["hook"] == hook for s in note["said"]]


@pytest.fixture
def world(tmp_path):
    built = World(tmp_path)
    yield built
    built.model.agent.close()


def test_first_events_come_in_order(world):
    world.deploy(PROVIDER)
    world.model.settle()

    assert world.hooks("db/0") == ["install", "leader-elected", "config-changed", "start"]


def test_a_unit_knows_itself(world):
    world.deploy(PROVIDER, {"start": [["is-leader", "--format=json"]]}, to=("3", "3"))
    world.model.settle()

    first, second = world.notes("db/0")[-1], world.notes("db/1")[-1]
    assert first["env"]["JUJU_UNIT_NAME"] == "db/0"
    assert first["env"]["JUJU_MACHINE_ID"] == "3"
    assert first["env"]["JUJU_MODEL_UUID"] == world.model.uuid
    assert (first["said"][0][1], second["said"][0][1]) == ("true", "false")
    assert "leader-settings-changed" in world.hooks("db/1")


def test_related_units_join_and_see_each_other(world):
    listing = [["relation-list", "--format=json"], ["relation-ids", "in", "--format=json"]]
    world.deploy(PROVIDER)
    world.deploy(REQUIRER, {"in-relation-joined": listing})
    world.model.integrate("db", "web")
    world.model.settle()

    assert world.hooks("web/0")[-3:] == [
        "in-relation-created",
        "in-relation-joined",
        "in-relation-changed",
    ]
    assert world.said("web/0", "in-relation-joined") == [
        [0, '["db/0"]', ""],
        [0, '["in:0"]', ""],
    ]
    env = world.notes("web/0")[-1]["env"]
    assert (env["JUJU_REMOTE_APP"], env["JUJU_REMOTE_UNIT"]) == ("db", "db/0")
    assert (env["JUJU_RELATION"], env["JUJU_RELATION_ID"]) == ("in", "in:0")


def test_data_reaches_the_other_side(world):
    write = ["relation-set", "--file", "-", json.dumps({"url": "x"})]
    app = ["relation-set", "--app", "--file", "-", json.dumps({"all": "y"})]
    read = [
        ["relation-get", "--format=json", "-", "db/0"],
        ["relation-get", "--format=json", "--app", "-", "db"],
    ]
    world.deploy(PROVIDER, {"out-relation-created": [write, app]})
    world.deploy(REQUIRER, {"in-relation-changed": read})
    world.model.integrate("db", "web")
    world.model.settle()

    unit, application = (json.loads(s[1]) for s in world.said("web/0", "in-relation-changed")[-2:])
    assert unit["url"] == "x"
    assert unit["private-address"] == "127.0.0.1"
    assert application == {"all": "y"}


def test_a_failed_hook_writes_nothing_and_is_run_again(world):
    write = ["relation-set", "--file", "-", json.dumps({"url": "x"})]
    world.deploy(PROVIDER, {"out-relation-joined": [write, ["fail"]]})
    world.deploy(REQUIRER)
    relation = world.model.integrate("db", "web")

    with pytest.raises(model.HookFailedError, match="db/0 out-relation-joined"):
        world.model.settle()

    assert "url" not in relation.bags["db/0"]
    assert world.model.unit("db/0").status[0] == "error"
    path = world.folder / "machines/0/unit-db-0/charm/plan.json"
    path.write_text(json.dumps({"out-relation-joined": [write]}))
    world.model.settle()
    assert relation.bags["db/0"]["url"] == "x"


def test_who_does_not_lead_may_not_write_for_the_application(world):
    app = ["relation-set", "--app", "--file", "-", json.dumps({"all": "y"})]
    get = ["relation-get", "--format=json", "--app", "-", "db"]
    world.deploy(PROVIDER, {"out-relation-created": [app, get]}, to=("0", "1"))
    world.deploy(REQUIRER)
    world.model.integrate("db", "web")
    world.model.settle()

    leader, other = (world.said(f"db/{n}", "out-relation-created") for n in (0, 1))
    assert [s[0] for s in leader] == [0, 0]
    assert [s[0] for s in other] == [1, 1]
    assert "permission denied" in other[0][2]


def test_the_same_data_again_wakes_nobody(world):
    write = ["relation-set", "-r", "out:0", "--file", "-", json.dumps({"url": "x"})]
    world.deploy(PROVIDER, {"update-status": [write]})
    world.deploy(REQUIRER)
    world.model.integrate("db", "web")
    world.model.settle()
    world.model.update_status()
    world.model.settle()
    before = len(world.hooks("web/0"))

    world.model.update_status()
    world.model.settle()

    assert world.hooks("web/0")[before:] == ["update-status"]


def test_a_removed_relation_departs_and_breaks(world):
    world.deploy(PROVIDER)
    world.deploy(REQUIRER)
    world.model.integrate("db", "web")
    world.model.settle()

    world.model.remove_relation("db", "web")

    assert world.hooks("web/0")[-2:] == ["in-relation-departed", "in-relation-broken"]
    assert world.model.relations == {}


def test_a_removed_unit_departs_stops_and_is_gone(world):
    world.deploy(PROVIDER)
    world.deploy(REQUIRER)
    world.model.integrate("db", "web")
    world.model.settle()

    world.model.remove_unit("db/0")

    assert world.hooks("web/0")[-1] == "in-relation-departed"
    assert world.notes("web/0")[-1]["env"]["JUJU_DEPARTING_UNIT"] == "db/0"
    assert world.model.trace[-2:] == [("db/0", "stop"), ("db/0", "remove")]
    assert not (world.folder / "machines/0/unit-db-0/charm").exists()


def test_a_subordinate_comes_with_each_principal_and_sees_only_its_own(world):
    listing = [["relation-list", "--format=json"]]
    world.deploy(PRINCIPAL, to=("0", "1"))
    world.deploy(SUBORDINATE, {"host-relation-joined": listing})
    world.model.integrate("sub:host", "host")
    world.model.settle()

    assert list(world.model.apps["sub"].units) == ["sub/0", "sub/1"]
    assert world.said("sub/1", "host-relation-joined") == [[0, '["host/1"]', ""]]
    assert world.notes("sub/1")[0]["env"]["JUJU_PRINCIPAL_UNIT"] == "host/1"
    assert world.model.unit("sub/1").machine is world.model.unit("host/1").machine


def test_a_principal_that_comes_later_gets_its_subordinate(world):
    world.deploy(PRINCIPAL)
    world.deploy(SUBORDINATE)
    world.model.integrate("sub", "host")
    world.model.settle()

    world.model.add_unit("host", "1")
    world.model.settle()

    assert list(world.model.apps["sub"].units) == ["sub/0", "sub/1"]
    assert "peers-relation-joined" in world.hooks("sub/0")


def test_a_subordinate_goes_with_its_principal(world):
    world.deploy(PRINCIPAL)
    world.deploy(SUBORDINATE)
    world.model.integrate("sub", "host")
    world.model.settle()

    world.model.remove_unit("host/0")

    assert world.model.apps["sub"].units == {}


def test_peers_share_data(world):
    write = ["relation-set", "-r", "peers:0", "--app", "--file", "-", json.dumps({"all": "y"})]
    read = ["relation-get", "-r", "peers:0", "--format=json", "--app", "-", "sub"]
    world.deploy(PRINCIPAL, to=("0", "1"))
    world.deploy(SUBORDINATE, {"leader-elected": [write], "peers-relation-changed": [read]})
    world.model.integrate("sub", "host")
    world.model.settle()

    assert json.loads(world.said("sub/1", "peers-relation-changed")[-1][1]) == {"all": "y"}


def test_placement_on_the_machine_of_a_unit(world):
    world.deploy(PRINCIPAL, to=("5",))

    world.deploy(PROVIDER, to=("host/0",))

    assert world.model.unit("db/0").machine.id == "5"


def test_relations_that_cannot_be(world):
    world.deploy(PROVIDER)
    world.deploy(PROVIDER, name="db2")
    world.deploy(REQUIRER)
    world.deploy(PRINCIPAL)
    world.model.integrate("db", "web")

    with pytest.raises(RefusedError, match="maximum relation limit"):
        world.model.integrate("db2", "web")
    with pytest.raises(RefusedError, match="no relations found"):
        world.model.integrate("db", "db2")
    with pytest.raises(RefusedError, match="not found"):
        world.model.integrate("db", "gone")


OPTIONS = {"options": {"size": {"type": "int", "default": 3}, "name": {"type": "string"}}}


def test_config_has_defaults_and_is_checked(world):
    archive = world.charm(PROVIDER, {"config-changed": [["config-get", "--format=json"]]},
                          config=OPTIONS)  # fmt: skip
    world.model.deploy(archive, "db", {"name": "x"}, ("0",))
    world.model.settle()
    assert json.loads(world.said("db/0", "config-changed")[0][1]) == {"size": 3, "name": "x"}

    world.model.configure("db", size=4, name=None)
    world.model.settle()
    assert json.loads(world.said("db/0", "config-changed")[1][1]) == {"size": 4}
    for wrong in ({"size": "4"}, {"size": True}, {"colour": 1}):
        with pytest.raises(RefusedError):
            world.model.configure("db", **wrong)


def test_actions(world):
    actions = {
        "go": {
            "params": {"where": {"type": "string"}, "fast": {"type": "boolean", "default": True}},
            "required": ["where"],
            "additionalProperties": False,
        }
    }
    plan = {
        "go": [
            ["action-get", "--format=json"],
            ["action-set", "place.name=there", "time=1"],
            ["action-log", "--", "on the way"],
            ["action-fail", "--", "tired"],
        ],
        "start": [["action-get"]],
    }
    world.model.deploy(world.charm(PROVIDER, plan, actions=actions), "db", {}, ("0",))
    world.model.settle()

    task = world.model.run("db/0", "go", where="home")

    assert json.loads(world.said("db/0", "go")[0][1]) == {"fast": True, "where": "home"}
    assert task.results == {"place": {"name": "there"}, "time": "1"}
    assert (task.log, task.failure) == (["on the way"], "tired")
    assert world.said("db/0", "start")[0][0] == 1
    for wrong in ({}, {"where": 1}, {"where": "x", "how": "y"}, {"where": "x", "fast": 1}):
        with pytest.raises(RefusedError):
            world.model.run("db/0", "go", **wrong)
    with pytest.raises(RefusedError):
        world.model.run("db/0", "stay")


def test_ports_status_version_and_log(world):
    plan = {
        "install": [["open-port", "53/udp"]],
        "start": [
            ["open-port", "80"],
            ["close-port", "53/udp"],
            ["opened-ports", "--format=json"],
            ["status-set", "--application=False", "active", "--", "all is well"],
            ["application-version-set", "--", "1.2"],
            ["juju-log", "--log-level", "WARNING", "--", "careful"],
        ],
    }
    app = world.deploy(PROVIDER, plan)
    world.model.settle()

    assert world.model.unit("db/0").ports == {"80/tcp"}
    assert world.model.statuses() == {"db/0": ("active", "all is well")}
    assert app.version == "1.2"
    assert ("db/0", "WARNING", "careful") in world.model.log


def test_what_is_not_emulated_fails_loudly(world):
    world.deploy(PROVIDER, {"start": [["storage-add"], ["juju-reboot"]]})
    world.model.settle()

    assert [s[0] for s in world.said("db/0", "start")] == [1, 1]
    assert "not emulated" in world.said("db/0", "start")[0][2]


def test_upgrade_brings_the_new_charm(world):
    world.deploy(PROVIDER)
    world.model.settle()

    world.model.refresh("db", world.charm(PROVIDER, {"upgrade-charm": [["is-leader"]]}))
    world.model.settle()

    assert world.hooks("db/0")[-2:] == ["upgrade-charm", "config-changed"]
    assert world.said("db/0", "upgrade-charm") == [[0, "True", ""]]


def test_secrets_are_for_those_to_whom_they_were_granted(world, tmp_path):
    (tmp_path / "value").write_text("one")
    add = ["secret-add", "--owner", "application", f"key#file={tmp_path}/value"]
    world.deploy(PROVIDER, {"start": [add]}, to=("0", "1"))
    world.deploy(REQUIRER)
    world.model.settle()
    assert [world.said(f"db/{n}", "start")[0][0] for n in (0, 1)] == [0, 1]
    (secret,) = world.model.secrets
    world.model.integrate("db", "web")
    world.model.settle()

    assert _read(world, secret) == [1, "", f'ERROR permission denied: secret "{secret}"']
    _run(world, "db/0", ["secret-grant", "--relation", "0", secret])
    assert _read(world, secret)[1] == '{"key": "one"}'

    (tmp_path / "value").write_text("two")
    _run(world, "db/0", ["secret-set", "--owner", "application", secret,
                         f"key#file={tmp_path}/value"])  # fmt: skip
    world.model.settle()
    assert world.hooks("web/0").count("secret-changed") == 1
    assert _read(world, secret)[1] == '{"key": "one"}'
    assert _read(world, secret, "--peek")[1] == '{"key": "two"}'
    assert _read(world, secret, "--refresh")[1] == '{"key": "two"}'
    assert _read(world, secret)[1] == '{"key": "two"}'

    _run(world, "db/0", ["secret-remove", secret])
    assert world.model.secrets == {}


def test_events_that_go_in_circles_end(world, monkeypatch):
    monkeypatch.setattr(model, "MOST_HOOKS", 20)
    turn = ["sh", "-c", "relation-set turn=$(date +%N)"]
    world.deploy(PROVIDER, {"out-relation-changed": [turn]})
    world.deploy(REQUIRER, {"in-relation-changed": [turn]})
    world.model.integrate("db", "web")

    with pytest.raises(model.HookFailedError, match="does not settle"):
        world.model.settle()


# --- leaders and units that go


def test_another_unit_leads_when_the_leader_is_gone(world):
    ask = {"db-relation-departed": [], "leader-elected": [["is-leader", "--format=json"]]}
    world.deploy(PROVIDER, ask, to=("0", "1", "2"))
    world.model.settle()

    world.model.remove_unit("db/0")
    world.model.settle()

    assert world.model.apps["db"].leader == "db/2"
    assert world.hooks("db/2")[-1] == "leader-elected"
    assert world.said("db/2", "leader-elected") == [[0, "true", ""]]
    assert "leader-elected" not in world.hooks("db/1")


def test_a_leader_leads_until_it_is_gone(world):
    lead = [["is-leader", "--format=json"]]
    world.deploy(PROVIDER, {"stop": lead, "remove": lead}, to=("0", "1"))
    world.model.settle()
    told = []
    charm = world.folder / "machines/0/unit-db-0/charm/said.jsonl"
    gone = world.model.unit("db/0").machine.forget
    world.model.unit("db/0").machine.forget = lambda unit: (
        told.append(charm.read_text()),
        gone(unit),
    )

    world.model.remove_unit("db/0")

    notes = [json.loads(line) for line in told[0].splitlines()]
    assert [n["said"][0][1] for n in notes if n["hook"] in ("stop", "remove")] == ["true"] * 2


def test_a_unit_that_goes_is_told_that_relations_break_in_which_others_stay(world):
    world.deploy(PROVIDER, to=("0", "1"))
    world.deploy(REQUIRER)
    world.model.integrate("db", "web")
    world.model.settle()

    world.model.remove_unit("db/0")
    world.model.settle()

    of = [hook for unit, hook in world.model.trace if unit == "db/0"]
    assert of[-4:] == ["out-relation-departed", "out-relation-broken", "stop", "remove"]
    assert "in-relation-broken" not in world.hooks("web/0")
    assert "out-relation-broken" not in world.hooks("db/1")


def test_a_unit_that_goes_is_told_of_nothing_after_its_end(world):
    ask = [["juju-exec", "db/0", "JUJU_DISPATCH_PATH=hooks/ping ./dispatch"]]
    world.deploy(PROVIDER, {"update-status": ask, "stop": ask, "remove": ask})
    world.model.settle()
    world.model.update_status()
    world.model.settle()
    assert world.hooks("db/0")[-1] == "ping"

    world.model.remove_unit("db/0")

    assert world.model.trace[-2:] == [("db/0", "stop"), ("db/0", "remove")]


def test_who_departs_is_not_listed_and_can_still_be_read(world):
    ask = [
        ["relation-list", "--format=json"],
        ["relation-get", "--format=json", "-", "db/0"],
    ]
    write = ["relation-set", "--file", "-", json.dumps({"url": "x"})]
    world.deploy(PROVIDER, {"out-relation-created": [write]}, to=("0", "1"))
    world.deploy(REQUIRER, {"in-relation-departed": ask})
    world.model.integrate("db", "web")
    world.model.settle()

    world.model.remove_unit("db/0")

    listed, read = world.said("web/0", "in-relation-departed")
    assert listed == [0, '["db/1"]', ""]
    assert json.loads(read[1])["url"] == "x"


def test_peers_depart_and_nothing_breaks(world):
    world.deploy(PRINCIPAL, to=("0", "1"))
    world.deploy(SUBORDINATE)
    world.model.integrate("sub", "host")
    world.model.settle()

    world.model.remove_unit("host/0")
    world.model.settle()

    assert ("sub/0", "peers-relation-departed") in world.model.trace
    assert ("sub/1", "peers-relation-departed") in world.model.trace
    assert not [hook for _, hook in world.model.trace if hook == "peers-relation-broken"]
    assert world.hooks("sub/1")[-1] == "leader-elected"


def test_every_event_can_be_told_again(world):
    world.deploy(PROVIDER)
    world.deploy(REQUIRER)
    world.model.integrate("db", "web")
    world.model.settle()
    before = len(world.hooks("web/0"))

    told = world.model.tell_again()

    assert world.model.settle() == told
    assert world.hooks("web/0")[before:] == [
        "upgrade-charm", "config-changed", "start", "leader-elected",
        "in-relation-changed", "in-relation-changed", "update-status",
    ]  # fmt: skip


# --- secrets


def test_a_failed_hook_makes_no_secret_and_grants_none(world, tmp_path):
    (tmp_path / "value").write_text("one")
    add = f"secret-add --label mine key#file={tmp_path}/value"
    grant = ["sh", "-c", f"secret-grant --relation 0 $({add})"]
    world.deploy(PROVIDER, {"out-relation-joined": [grant, ["fail"]]})
    world.deploy(REQUIRER)
    world.model.integrate("db", "web")

    with pytest.raises(model.HookFailedError):
        world.model.settle()

    assert world.model.secrets == {}
    path = world.folder / "machines/0/unit-db-0/charm/plan.json"
    path.write_text(json.dumps({"out-relation-joined": [grant]}))
    world.model.settle()
    (secret,) = world.model.secrets.values()
    assert (secret.label, secret.grants) == ("mine", {(0, "web")})


def test_a_failed_hook_grants_nothing_and_removes_nothing(world, tmp_path):
    secret = _made(world, tmp_path)
    for command in (["secret-grant", "--relation", "0"], ["secret-remove"]):
        with pytest.raises(model.HookFailedError):
            _run(world, "db/0", [*command, secret], ["fail"])
        _plan(world, "db/0")
        world.model.settle()

    assert world.model.secrets[secret].grants == set()
    _run(world, "db/0", ["secret-grant", "--relation", "0", secret])
    with pytest.raises(model.HookFailedError):
        _run(world, "db/0", ["secret-revoke", "--relation", "0", secret], ["fail"])
    assert world.model.secrets[secret].grants == {(0, "web")}


def test_a_hook_sees_its_own_new_secret_and_content(world, tmp_path):
    (tmp_path / "value").write_text("one")
    (tmp_path / "other").write_text("two")
    get = ["secret-get", "--format=json", "--label", "mine"]
    add = ["secret-add", "--label", "mine", f"key#file={tmp_path}/value"]
    change = ["sh", "-c", f"secret-set $(secret-ids) key#file={tmp_path}/other"]
    plan = {"install": [add, get], "start": [change, get, [*get, "--peek"]]}
    world.deploy(PROVIDER, plan)

    world.model.settle()

    assert world.said("db/0", "install")[1][1] == '{"key": "one"}'
    assert [s[1] for s in world.said("db/0", "start")[1:]] == ['{"key": "one"}', '{"key": "two"}']


def test_a_unit_has_secrets_of_its_own(world, tmp_path):
    (tmp_path / "value").write_text("one")
    add = ["secret-add", "--owner", "unit", "--label", "key", "--expire", "2027-01-01T00:00:00Z",
           f"key#file={tmp_path}/value"]  # fmt: skip
    ask = [["secret-ids", "--format=json"], ["secret-get", "--format=json", "--label", "key"]]
    world.deploy(PROVIDER, {"start": [add, *ask]}, to=("0", "1"))
    world.model.settle()

    assert {secret.owner for secret in world.model.secrets.values()} == {"db/0", "db/1"}
    for unit in ("db/0", "db/1"):
        _, listed, read = world.said(unit, "start")
        assert len(json.loads(listed[1])) == 1
        assert read[:2] == [0, '{"key": "one"}']
    (other,) = (s.id for s in world.model.secrets.values() if s.owner == "db/1")
    assert _run(world, "db/0", ["secret-get", other])[0] == 1
    info = json.loads(_run(world, "db/1", ["secret-info-get", "--format=json", other])[1])
    assert (info[other]["owner"], info[other]["expiry"]) == ("unit", "2027-01-01T00:00:00Z")

    world.model.remove_unit("db/0")
    assert [secret.owner for secret in world.model.secrets.values()] == ["db/1"]


def test_an_owner_is_told_that_its_secret_is_over(world, tmp_path):
    secret = _made(world, tmp_path)

    world.model.vault.expire(world.model.secrets[secret])
    world.model.settle()

    note = world.notes("db/0")[-1]
    assert note["hook"] == "secret-expired"
    assert (note["env"]["JUJU_SECRET_ID"], note["env"]["JUJU_SECRET_REVISION"]) == (
        f"secret:{secret}",
        "1",
    )


def test_an_owner_is_told_once_of_a_revision_that_nobody_reads(world, tmp_path):
    secret = _made(world, tmp_path)
    _run(world, "db/0", ["secret-grant", "--relation", "0", secret])
    _read(world, secret)
    (tmp_path / "value").write_text("two")
    _run(world, "db/0", ["secret-set", secret, f"key#file={tmp_path}/value"])
    assert "secret-remove" not in world.hooks("db/0")

    _read(world, secret, "--refresh")
    _read(world, secret, "--refresh")

    assert world.hooks("db/0").count("secret-remove") == 1
    _run(world, "db/0", ["secret-remove", "--revision", "1", secret])
    assert list(world.model.secrets[secret].revisions) == [2]


def test_a_label_of_a_reader_is_its_own(world, tmp_path):
    secret = _made(world, tmp_path)
    _run(world, "db/0", ["secret-grant", "--relation", "0", secret])

    assert _read(world, secret, "--label", "theirs")[0] == 0
    (tmp_path / "value").write_text("two")
    _run(world, "db/0", ["secret-set", secret, f"key#file={tmp_path}/value"])
    world.model.settle()

    changed = next(n for n in world.notes("web/0") if n["hook"] == "secret-changed")
    assert changed["env"]["JUJU_SECRET_LABEL"] == "theirs"


def test_secrets_of_users(world):
    archive = world.charm(REQUIRER, config={"options": {"key": {"type": "secret"}}})
    secret = world.model.vault.add({"key": "one"})
    world.model.deploy(archive, "web", {"key": secret}, ("0",))
    world.model.settle()
    get = ["secret-get", "--format=json", secret]

    assert _run(world, "web/0", get)[0] == 1
    world.model.vault.grant(secret, "web")
    assert _run(world, "web/0", get)[1] == '{"key": "one"}'
    world.model.vault.update(secret, {"key": "two"})
    world.model.settle()
    assert "secret-changed" in world.hooks("web/0")
    assert _run(world, "web/0", [*get, "--refresh"])[1] == '{"key": "two"}'
    with pytest.raises(RefusedError):
        world.model.configure("web", key="no secret")


# --- storage


def test_storage_comes_before_and_goes_before(world):
    ask = [
        ["storage-list", "--format=json"],
        ["storage-get", "--format=json", "-s", "data/0"],
        ["storage-get", "location"],
    ]
    with_storage = {**PROVIDER, "storage": {"data": {"type": "filesystem"}}}
    world.deploy(with_storage, {"data-storage-attached": ask}, to=())
    world.model.add_unit("db", "0", storage="data")
    world.model.settle()

    location = str(world.folder / "machines/0/storage/data/0")
    assert world.hooks("db/0")[:2] == ["data-storage-attached", "install"]
    listed, facts, where = world.said("db/0", "data-storage-attached")
    assert listed[1] == '["data/0"]'
    assert json.loads(facts[1]) == {"kind": "filesystem", "location": location}
    assert where[1] == location
    assert world.notes("db/0")[0]["env"]["JUJU_STORAGE_ID"] == "data/0"
    with pytest.raises(RefusedError, match="no store"):
        world.model.add_unit("db", "0", storage="cache")

    world.model.remove_unit("db/0")
    of = [hook for unit, hook in world.model.trace if unit == "db/0"]
    assert of[-3:] == ["data-storage-detaching", "stop", "remove"]


def _made(world, tmp_path):
    """A secret of db, which web is related to."""
    (tmp_path / "value").write_text("one")
    world.deploy(PROVIDER)
    world.deploy(REQUIRER)
    world.model.integrate("db", "web")
    world.model.settle()
    _run(world, "db/0", ["secret-add", f"key#file={tmp_path}/value"])
    (secret,) = world.model.secrets
    return secret


def _plan(world, unit, *commands):
    charm = world.folder / "machines" / world.model.unit(unit).machine.id / machines.tag(unit)
    (charm / "charm/plan.json").write_text(json.dumps({"update-status": commands}))


def _run(world, unit, *commands):
    """Have a unit run commands in a hook of its own; what the last of them said."""
    _plan(world, unit, *commands)
    world.model.unit(unit).queue.append(entities.Event("update-status"))
    world.model.settle()
    _plan(world, unit)
    return world.said(unit, "update-status")[-1]


def _read(world, secret, *flags):
    return _run(world, "web/0", ["secret-get", "--format=json", *flags, secret])


def test_the_goal_state_has_no_units_of_subordinates(world):
    ask = {"update-status": [["goal-state", "--format=json"]]}
    world.deploy(PRINCIPAL, ask)
    world.deploy(SUBORDINATE, ask)
    world.model.integrate("sub", "host")
    world.model.settle()

    world.model.update_status()
    world.model.settle()

    goals = {
        unit: json.loads(world.said(unit, "update-status")[-1][1])["units"]
        for unit in ("host/0", "sub/0")
    }
    assert (list(goals["host/0"]), goals["sub/0"]) == (["host/0"], {})
