"""The actions of the build hook: parameters in, one command of the product, results out."""

import dataclasses
import json
import subprocess

import ops.testing
import pytest
import yaml
from charms.docker_build_hook.v0 import dockerfile_testing

from tests.scenario import charms
from tests.scenario.conftest import HERE

BUILD = {"id": 7, "project": "app", "phase": "queued", "reason": None}


@pytest.fixture
def related():
    return dockerfile_testing.relation_for_build_hook(machine=HERE)


@pytest.fixture
def settled(hook, world, related):
    return hook.run(hook.on.relation_changed(related), world(related))


def act(hook, state, name, /, **params):
    out = hook.run(hook.on.action(name, params=params), state)
    return hook.action_results, out


@pytest.mark.parametrize(
    ("action", "params", "argv"),
    [
        ("deploy", {"project": "app"}, ("deploy", "app")),
        ("deploy", {"project": "app", "ref": "stable"}, ("deploy", "app", "--ref", "stable")),
        ("rollback", {"project": "app"}, ("rollback", "app")),
        ("rollback", {"project": "app", "to": 3}, ("rollback", "app", "--to", "3")),
    ],
)
def test_build_is_asked_for(hook, settled, product, action, params, argv):
    product.answers[action] = BUILD

    results, _ = act(hook, settled, action, **params)

    assert argv in product.calls
    assert results["build"] == 7
    assert json.loads(results["details"]) == BUILD


@pytest.mark.parametrize("action", ["deploy", "rollback"])
def test_build_that_is_waited_for_and_fails_fails_the_action(hook, settled, product, action):
    product.answers[action] = {**BUILD, "phase": "failed", "reason": "exit 1"}

    with pytest.raises(ops.testing.ActionFailed, match="Build 7 failed: exit 1"):
        act(hook, settled, action, project="app", wait=True)

    assert (action, "app", "--wait") in product.calls


def test_build_that_is_waited_for_and_lives(hook, settled, product):
    product.answers["deploy"] = {**BUILD, "phase": "live"}

    results, _ = act(hook, settled, "deploy", project="app", wait=True)

    assert results["build"] == 7


@pytest.mark.parametrize(
    ("action", "params", "argv", "key"),
    [
        ("list-projects", {}, ("projects",), "projects"),
        ("cancel", {"build": 4}, ("cancel", "4"), "build"),
        ("pause", {}, ("pause",), "pause"),
        (
            "pause",
            {"project": "app", "reason": "- a move"},
            ("pause", "app", "--reason=- a move"),
            "pause",
        ),
        ("resume", {}, ("resume",), "pause"),
        ("resume", {"project": "app"}, ("resume", "app"), "pause"),
        ("builds", {}, ("builds",), "builds"),
        ("builds", {"project": "app"}, ("builds", "app"), "builds"),
        ("diagnostics", {}, ("doctor",), "diagnostics"),
        ("gc", {}, ("gc",), "removed"),
    ],
)
def test_answer_is_the_products(hook, settled, product, action, params, argv, key):
    answer = {"projects": [], "some": "thing"}
    product.answers[argv[0]] = answer

    results, _ = act(hook, settled, action, **params)

    assert argv in product.calls
    assert json.loads(results[key]) == answer


@pytest.mark.parametrize(("params", "rest"), [({}, ()), ({"expires": 3}, ("--expires", "3.0"))])
def test_token(hook, settled, product, params, rest):
    product.answers["token"] = {"name": "ci", "token": "t0ken"}

    results, _ = act(hook, settled, "create-token", name="ci", scope="deploy", **params)

    assert ("token", "create", "ci", "--scope", "deploy", *rest) in product.calls
    assert results == {"token": "t0ken"}


@pytest.mark.parametrize(("params", "what"), [({"build": 4}, "4"), ({"project": "app"}, "app")])
def test_logs_are_cut_at_the_front(hook, settled, product, params, what):
    product.answers["logs"] = {"log": ["one", "two", "three"]}

    results, _ = act(hook, settled, "logs", lines=2, **params)

    assert ("logs", what) in product.calls
    assert results == {"log": "two\nthree"}


@pytest.mark.parametrize(
    ("action", "params", "answer", "key"),
    [
        ("logs", {"build": 4, "lines": 5000}, {"log": ["ä" * 80] * 4999 + ["end"]}, "log"),
        ("logs", {"build": 4}, {"log": ["x" * 300_000 + "end"]}, "log"),
        ("list-projects", {}, {"projects": [{"name": "x" * 60}] * 3000, "z": "end"}, "projects"),
    ],
)
def test_answers_are_cut_to_what_an_argument_may_hold(
    hook, settled, product, action, params, answer, key
):
    product.answers["logs" if action == "logs" else "projects"] = answer

    results, _ = act(hook, settled, action, **params)

    subprocess.run(["/bin/true", f"{key}={results[key]}"], check=True)  # as action-set gets it
    assert len(results[key].encode()) > 90_000
    assert "end" in results[key][-8:]
    assert results["truncated"] == (
        f"only the end of {key}: `build-hook` on the machine has it all"
    )


@pytest.mark.parametrize("params", [{}, {"build": 1, "project": "app"}])
def test_logs_of_what(hook, settled, params):
    with pytest.raises(ops.testing.ActionFailed, match="give either build or project"):
        act(hook, settled, "logs", **params)


def test_explain_hands_over_files(hook, settled, product, monkeypatch):
    import pathlib

    seen = {}

    def call(*argv, timeout=0):
        if argv[0] == "projects":
            return {"projects": []}
        files = dict(zip(argv[1::2], argv[2::2], strict=True))
        seen.update({flag: pathlib.Path(path).read_text() for flag, path in files.items()})
        return {"kind": "push"}

    monkeypatch.setattr(product, "call", call)

    results, _ = act(hook, settled, "explain", headers='{"X-A": "1"}', body="{}")

    assert seen == {"--headers": '{"X-A": "1"}', "--body": "{}"}
    assert json.loads(results["explanation"]) == {"kind": "push"}


@pytest.mark.parametrize(
    ("action", "params"),
    [
        ("deploy", {"project": "--help"}),
        ("deploy", {"project": "app", "ref": "--upload-pack=x"}),
        ("deploy", {"project": "app", "ref": "a b"}),
        ("rollback", {"project": "app", "to": 0}),
        ("cancel", {"build": 0}),
        ("logs", {"build": 1, "lines": 0}),
        ("explain", {"headers": "no JSON", "body": ""}),
        ("create-token", {"name": "--help", "scope": "read"}),
        ("create-token", {"name": "ci", "scope": "read", "expires": 0}),
    ],
)
def test_wrong_parameters_reach_nothing(hook, settled, product, action, params):
    product.calls.clear()

    with pytest.raises(ops.testing.ActionFailed, match="Error in action parameters"):
        act(hook, settled, action, **params)

    assert [call for call in product.calls if call[0] != "projects"] == []


@pytest.mark.parametrize(
    ("action", "params", "command"),
    [
        ("list-projects", {}, "projects"),
        ("deploy", {"project": "app"}, "deploy"),
        ("rollback", {"project": "app"}, "rollback"),
        ("cancel", {"build": 1}, "cancel"),
        ("builds", {}, "builds"),
        ("logs", {"build": 1}, "logs"),
        ("explain", {"headers": "{}", "body": ""}, "explain"),
        ("create-token", {"name": "ci", "scope": "read"}, "token"),
        ("diagnostics", {}, "doctor"),
        ("gc", {}, "gc"),
    ],
)
def test_what_the_product_refuses_fails_the_action(
    hook, settled, product, action, params, command
):
    import product as real

    product.answers[command] = real.ProductError("There is no project app", "List them")

    with pytest.raises(ops.testing.ActionFailed, match=r"There is no project app\. List them"):
        act(hook, settled, action, **params)


def test_webhook(hook, settled):
    results, _ = act(hook, settled, "get-webhook", project="app")

    (secret,) = settled.secrets
    assert results == {
        "url": "http://192.0.2.0:8080/hooks/app",
        "content-type": "application/json",
        "secret-id": secret.id,
    }


def test_webhook_revealed(hook, settled):
    results, _ = act(hook, settled, "get-webhook", project="app", reveal=True)

    (secret,) = settled.secrets
    assert results["secret"] == secret.latest_content["webhook-secret"]


def test_webhook_before_there_is_a_secret(hook, world, related):
    with pytest.raises(ops.testing.ActionFailed, match="The leader has not made the secret yet"):
        act(hook, world(related, leader=False), "get-webhook", project="app")


@pytest.mark.parametrize("action", ["get-webhook", "rotate-secret"])
def test_unknown_project(hook, settled, action):
    with pytest.raises(ops.testing.ActionFailed, match="There is no project other"):
        act(hook, settled, action, project="other")


def test_rotation_keeps_both_until_the_old_one_is_dropped(hook, settled, machine):
    (was,) = files = list((machine.folder / "state" / "secrets").iterdir())
    old, untouched = was.read_text(), was.stat()

    results, during = act(hook, settled, "rotate-secret", project="app")

    # What web reads at any moment in between is a file that has not changed.
    assert (was.read_text(), was.stat()) == (old, untouched)
    (came,) = set(was.parent.iterdir()) - set(files)
    new = came.read_text()
    assert new != old
    assert _names(machine) == [came.name, was.name]
    assert "forget-previous" in results["next"]
    (secret,) = during.secrets
    assert secret.latest_content == {"webhook-secret": new, "previous-webhook-secret": old}
    peers = during.get_relations("peers")[0].local_app_data
    assert json.loads(peers["secrets"])[0]["revision"] == 2

    after = ops.testing.State(
        leader=True,
        model=during.model,
        relations=during.relations,
        secrets=[ops.testing.Secret(secret.latest_content, id=secret.id, owner="app")],
    )
    act(hook, after, "rotate-secret", project="app", **{"forget-previous": True})

    assert [path.read_text() for path in was.parent.iterdir()] == [new]
    assert _names(machine) == [came.name]


def test_rotation_is_for_the_leader(hook, world, related):
    with pytest.raises(ops.testing.ActionFailed, match="run it on build-hook/leader"):
        act(hook, world(related, leader=False), "rotate-secret", project="app")


def test_reconcile_mends(hook, settled, machine):
    (machine.folder / "state" / "registry.json").unlink()

    results, _ = act(hook, settled, "reconcile")

    assert results == {"result": "done"}
    assert (machine.folder / "state" / "registry.json").exists()


@pytest.mark.parametrize(
    ("action", "params"),
    [
        ("reconcile", {}),
        ("rotate-secret", {"project": "app"}),
        ("get-webhook", {"project": "app"}),
        ("stop-kept", {"project": "app"}),
    ],
)
def test_with_wrong_config_an_action_says_so_and_changes_nothing(hook, settled, action, params):
    (before,) = settled.secrets
    wrong = dataclasses.replace(settled, config={"port": 0})

    with pytest.raises(ops.testing.ActionFailed, match="Config port"):
        act(hook, wrong, action, **params)

    (secret,) = wrong.secrets
    assert secret.latest_content == before.latest_content


def test_every_action_is_closed_and_tested():
    import pathlib

    actions = yaml.safe_load((charms.ROOT / "actions.yaml").read_text())
    tests = pathlib.Path(__file__).read_text()

    assert [n for n, a in actions.items() if a.get("additionalProperties") is not False] == []
    assert [name for name in actions if f'"{name}"' not in tests] == []


def _names(machine):
    registry = json.loads((machine.folder / "state" / "registry.json").read_text())
    return registry["projects"][0]["webhook_secrets"]


@pytest.fixture
def kept(settled, machine):
    """The only project of the machine is one whose relation has gone."""
    path = machine.folder / "state" / "registry.json"
    said = json.loads(path.read_text())
    said["projects"][0]["kept"] = True
    path.write_text(json.dumps(said))
    return settled


def test_what_is_kept_can_be_stopped(hook, kept, product):
    product.answers["remove"] = {"project": "app", "removed": True, "kept": False}

    results, _ = act(hook, kept, "stop-kept", project="app")

    assert product.calls == [("remove", "app")]
    assert json.loads(results["removed"]) == product.answers["remove"]


@pytest.mark.parametrize("name", ["app", "nobody"])
def test_only_what_is_kept_can_be_stopped(hook, settled, product, name):
    with pytest.raises(ops.testing.ActionFailed, match=f"No project {name} is kept"):
        act(hook, settled, "stop-kept", project=name)

    assert product.calls == []
