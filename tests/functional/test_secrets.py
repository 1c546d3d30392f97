"""Secrets of what serves: files and environment, those of the deploy whatever comes after."""

import json
import subprocess
from typing import Any

import pytest

from build_hook import secret_files
from tests.functional import composed

ENVIRONMENT = "busybox tr '\\000' '\\n' < /proc/1/environ"


def stored(host):
    """The bytes of the database and its log.

    Another process reads them: whoever closes a file lets go of all locks that his process has on
    it (fcntl(2)), SQLite's too, and the log could be removed under the connection of this one.
    """
    files = [f"{host.settings.database}{end}" for end in ("", "-wal")]
    return subprocess.run(["cat", *files], check=True, capture_output=True).stdout


@pytest.fixture
def confided(host, request):
    """Two names of secrets that no other test has."""
    name = request.node.name.replace("_", "-")[:40]
    return f"{name}-file", f"{name}-env"


def confide(host, name, text):
    secret_files.write(host.settings.secrets / name, text.encode())


def inside(host, container, command, user=""):
    """What a command says in a container."""
    api = host.engine.api
    made = api.exec_create(container, ["/bin/sh", "-c", command], user=user)
    return api.exec_start(made["Id"]).decode().strip()


def serving(web):
    return web.serving().id


def test_file_is_there_for_any_user_and_nowhere_else(host, confided):
    name, _ = confided
    confide(host, name, "the value of a file\n")
    web = host.add(
        "keeps-secrets",
        secrets=[name, {"source": name, "target": "/etc/own", "uid": 1234, "mode": "0400"}],
    )
    build = web.live()

    box = serving(web)
    assert inside(host, box, f"cat /run/secrets/{name}", user="1000") == "the value of a file"
    assert inside(host, box, "cat /etc/own", user="1234") == "the value of a file"
    assert "denied" in inside(host, box, "cat /etc/own", user="1000").lower()
    assert "ead-only" in inside(host, box, f"echo x > /run/secrets/{name}")
    found = json.dumps(host.engine.api.inspect_container(box))
    assert "the value of a file" not in found
    assert "the value of a file" not in web.log(build)
    assert b"keeps-secrets" in stored(host)
    assert b"the value of a file" not in stored(host)


def test_restart_and_the_workers_restart_change_nothing(host, confided):
    name, _ = confided
    confide(host, name, "of the deploy\n")
    web = host.add("steady-secrets", secrets=[name])
    web.live()
    confide(host, name, "of today\n")

    box = serving(web)
    host.engine.api.restart(box, timeout=1)
    host.until(lambda: web.answers(), "the container to answer again")
    host.restart("worker")

    assert inside(host, box, f"cat /run/secrets/{name}") == "of the deploy"
    assert host.run("deploy", web.name, "--wait")["phase"] == "live"
    assert inside(host, serving(web), f"cat /run/secrets/{name}") == "of today"


def test_roll_back_has_the_secrets_of_its_build(host, confided):
    name, env = confided
    confide(host, name, "first\n")
    confide(host, env, "TOKEN=first\n")
    web = host.add("goes-back-told", secrets=[name], env_file=[env])
    first = web.live()
    confide(host, name, "second\n")
    confide(host, env, "TOKEN=second\n")
    web.live()
    assert "TOKEN=second" in inside(host, serving(web), ENVIRONMENT)

    shown = host.run("rollback", web.name, "--wait")

    assert shown["phase"] == "live"
    assert "TOKEN=first" in inside(host, serving(web), ENVIRONMENT)
    assert inside(host, serving(web), f"cat /run/secrets/{name}") == "first"
    assert f"secrets: those of build {first.id}" in "\n".join(
        host.run("logs", str(shown["id"]))["log"]
    )


def test_failed_build_leaves_none_of_them_behind(host, confided):
    name, _ = confided
    confide(host, name, "value\n")
    web = host.add("fails-with-secrets", secrets=[name])
    build = web.live()

    failed = web.deploy(serve__sh="exit 3\n")

    folder = host.settings.confided / web.name
    assert failed.phase == "failed"
    assert {path.name for path in folder.iterdir()} == {str(build.id)}
    host.unregister(web.name)
    host.until(lambda: not folder.exists(), "the secrets of a project that left to go")


def test_secret_that_others_may_read_starts_nothing(host, confided):
    name, _ = confided
    confide(host, name, "value\n")
    (host.settings.secrets / name).chmod(0o644)

    failed = host.add("shares-secrets", secrets=[name]).deploy()

    assert f"Others may read the secret {name}. chmod 600" in (failed.reason or "")


def test_service_of_a_compose_file_has_those_that_the_operator_gives(host, confided):
    name, env = confided
    confide(host, name, "of the operator\n")
    confide(host, env, "TOKEN=of-the-operator\n")
    file = composed.FILE.replace("  web:\n", "  web:\n    secrets: [token]\n")
    file += "secrets: {token: {file: ./token}}\n"
    more: dict[str, Any] = {"compose.yaml": file}
    shop = composed.Shop(host, "secret-shop", **more)
    refused = shop.deploy()
    assert "the secret token, which is for the operator to decide" in (refused.reason or "")

    rules = host.entry("secret-shop").model_dump()
    rules["compose"]["services"]["web"] |= {
        "secrets": [{"source": name, "target": "token"}],
        "env_file": [env],
    }
    host.replace(type(host.entry("secret-shop")).model_validate(rules))
    first = shop.live(note="once more")

    before = shop.containers()
    assert inside(host, before["web"], "cat /run/secrets/token") == "of the operator"
    assert "TOKEN=of-the-operator" in inside(host, before["web"], ENVIRONMENT)

    confide(host, name, "of today\n")
    assert host.run("deploy", shop.name, "--wait")["phase"] == "live"
    after = shop.containers()
    assert inside(host, after["web"], "cat /run/secrets/token") == "of today"
    assert (after["api"], after["db"]) == (before["api"], before["db"])

    assert host.run("rollback", shop.name, "--to", str(first.id), "--wait")["phase"] == "live"
    back = shop.containers()
    assert inside(host, back["web"], "cat /run/secrets/token") == "of the operator"
    assert (back["api"], back["db"]) == (before["api"], before["db"])
