"""The secrets that projects bring: Juju secrets become files and fields of the registry."""

import dataclasses
import json
import re

import ops
import ops.testing
import pytest
from charms.docker_build_hook.v0 import dockerfile_testing

from build_hook.store import builds
from tests.scenario.conftest import HERE

ENVIRONMENT = {"environment": "DB_PASSWORD=s3cret\nMODE=live"}


def asking(**fields):
    return dockerfile_testing.relation_for_build_hook(app="docker-selfoss", machine=HERE, **fields)


def registered(machine):
    text = (machine.folder / "state/registry.json").read_text()
    return json.loads(text).get("projects", [])


def secret_files(machine):
    folder = machine.folder / "state/secrets"
    webhook = re.compile(r"hook\.docker-selfoss\.[0-9a-f]{8}")
    brought = sorted(p for p in folder.iterdir() if not webhook.fullmatch(p.name))
    return {path.name: path.read_text() for path in brought}


@pytest.fixture
def run(hook, world):
    def happen(relation, *contents, **facts):
        secrets = [
            ops.testing.Secret(content, id=f"secret:s{n}") for n, content in enumerate(contents)
        ]
        return hook.run(hook.on.relation_changed(relation), world(relation, secrets=secrets))

    return happen


def test_environment(run, machine):
    run(asking(environment_secret="secret:s0"), ENVIRONMENT)

    assert secret_files(machine) == {"hook.docker-selfoss.env": "DB_PASSWORD=s3cret\nMODE=live\n"}
    assert registered(machine)[0]["env_file"] == ["hook.docker-selfoss.env"]
    path = machine.folder / "state/secrets/hook.docker-selfoss.env"
    assert path.stat().st_mode & 0o7777 == 0o600
    assert "s3cret" not in (machine.folder / "state/registry.json").read_text()


def test_build_secrets(run, machine):
    run(asking(build_secret="secret:s0"), {"npm-token": "t0ken", "pip-conf": "[global]"})

    assert secret_files(machine) == {
        "hook.docker-selfoss.build.npm-token": "t0ken",
        "hook.docker-selfoss.build.pip-conf": "[global]",
    }
    assert registered(machine)[0]["build"]["secrets"] == [
        {"source": "hook.docker-selfoss.build.npm-token", "target": "npm-token"},
        {"source": "hook.docker-selfoss.build.pip-conf", "target": "pip-conf"},
    ]


def test_registry_login_of_an_image(run, machine):
    image = asking(repository=None, image="registry.example.com/app:1", access_secret="secret:s0")

    run(image, {"registry-login": "robot:pa55"})

    assert secret_files(machine) == {"hook.docker-selfoss.registry-login": "robot:pa55\n"}
    assert registered(machine)[0]["registry_login"] == "hook.docker-selfoss.registry-login"


@pytest.mark.parametrize(
    ("field", "content", "problem"),
    [
        ("environment_secret", None, "environment-secret cannot be read: juju grant-secret "
         "secret:s0 build-hook"),
        ("environment_secret", {"password": "x"}, "environment-secret has the key password; it "
         "takes environment"),
        ("access_secret", {"password": "x"}, "access-secret has the key password; it takes "
         "access-token, access-user, deploy-key, registry-login"),
    ],
)  # fmt: skip
def test_a_secret_that_cannot_be_used_is_named_and_nothing_changes(
    hook, world, machine, field, content, problem
):
    good = asking(environment_secret="secret:good")
    known = ops.testing.Secret(ENVIRONMENT, id="secret:good")
    state = hook.run(hook.on.relation_changed(good), world(good, secrets=[known]))
    before, files = registered(machine), secret_files(machine)
    wrong = {"repository": json.dumps(dockerfile_testing.REPOSITORY), field: '"secret:s0"'}
    present = dataclasses.replace(state.get_relation(good.id), remote_app_data=wrong)
    others = [relation for relation in state.relations if relation.id != good.id]
    given = [ops.testing.Secret(content, id="secret:s0")] if content else []
    state = dataclasses.replace(
        state, relations=[*others, present], secrets=[*state.secrets, *given]
    )

    state = hook.run(hook.on.relation_changed(present, remote_unit=0), state)

    assert state.unit_status == ops.BlockedStatus(f"docker-selfoss: {problem}")
    assert registered(machine) == before
    assert secret_files(machine) == files


def test_a_changed_environment_is_deployed_again(hook, world, machine, history):
    history.live("docker-selfoss", "c0ffee")
    relation = asking(environment_secret="secret:s0")
    secret = ops.testing.Secret(ENVIRONMENT, latest_content={"environment": "A=2"}, id="secret:s0")
    state = hook.run(
        hook.on.relation_changed(relation),
        world(relation, secrets=[ops.testing.Secret(ENVIRONMENT, id="secret:s0")]),
    )
    changed = dataclasses.replace(
        state, secrets=[secret, *(s for s in state.secrets if s.id != "secret:s0")]
    )

    again = hook.run(hook.on.secret_changed(secret), changed)
    hook.run(hook.on.update_status(), again)

    assert secret_files(machine) == {"hook.docker-selfoss.env": "A=2\n"}
    store = builds.Builds(machine.folder / "state/build-hook.db")
    asked = [build.cause for build in store.recent("docker-selfoss")]
    store.close()
    assert asked == [builds.Cause.DEPLOY, builds.Cause.PUSH]


def test_nor_is_it_lost_where_the_hook_fails_afterwards(hook, world, machine, history):
    history.live("docker-selfoss", "c0ffee")
    relation = asking(environment_secret="secret:s0")
    first = ops.testing.Secret(ENVIRONMENT, id="secret:s0")
    state = hook.run(hook.on.relation_changed(relation), world(relation, secrets=[first]))
    secret = ops.testing.Secret(ENVIRONMENT, latest_content={"environment": "A=2"}, id="secret:s0")
    others = [s for s in state.secrets if s.id != "secret:s0"]
    changed = dataclasses.replace(state, secrets=[secret, *others], config={"concurrency": 5})
    machine.broken = {"build-hook-worker.service"}

    with pytest.raises(ops.testing.errors.UncaughtCharmError):
        hook.run(hook.on.secret_changed(secret), changed)

    store = builds.Builds(machine.folder / "state/build-hook.db")
    asked = [build.cause for build in store.recent("docker-selfoss")]
    store.close()
    assert asked == [builds.Cause.DEPLOY, builds.Cause.PUSH]


def test_a_project_that_is_gone_takes_its_files_along(hook, run, machine):
    relation = asking(environment_secret="secret:s0")
    state = run(relation, ENVIRONMENT)

    hook.run(hook.on.relation_broken(state.get_relation(relation.id)), state)

    assert secret_files(machine) == {}


def test_secrets_of_projects_elsewhere_are_not_read(hook, world, monkeypatch):
    asked = []
    read = ops.Model.get_secret
    monkeypatch.setattr(
        ops.Model, "get_secret", lambda self, **which: asked.append(which) or read(self, **which)
    )
    elsewhere = dockerfile_testing.relation_for_build_hook(
        app="blog", machine="another:0", environment_secret="secret:s0"
    )

    hook.run(hook.on.relation_changed(elsewhere, remote_unit=0), world(elsewhere, leader=False))

    assert asked == []
