"""The charms under a real controller. They come in the order of the file, each after the last."""

import contextlib
import json
import time

import jubilant

from tests.formation import visitor
from tests.integration.conftest import charm, message


def wait_for(url: str, answer: str, seconds: float = 120) -> None:
    """Wait until a page has that text."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError):  # it does not listen yet
            if visitor.get(url).strip() == answer:
                return
        time.sleep(0.5)
    raise AssertionError(f"{url} does not answer {answer!r}")


def webhook(juju: jubilant.Juju) -> dict[str, str]:
    """What an operator enters at the git host."""
    task = juju.run("build-hook/0", "get-webhook", {"project": "docker-selfoss", "reveal": True})
    return task.results


def test_project_is_listed(host: str, selfoss: str) -> None:
    listing = json.loads(visitor.get(f"http://{host}:8080/"))

    assert [hook["name"] for hook in listing["hooks"]] == ["docker-selfoss"]


def test_push_is_live_and_told(juju, git, selfoss) -> None:
    said = webhook(juju)
    body = git.push("docker-selfoss", "two")

    with visitor.visits(selfoss) as load:
        assert visitor.deliver(said["url"], body, said["secret"]) == 202
        wait_for(selfoss, "two")

    assert load.failures == []
    commit = json.loads(body)["after"][:8]
    juju.wait(lambda now: commit in message(now, "docker-selfoss"), timeout=120)


def test_wrong_config_is_named_and_serves_on(juju, selfoss) -> None:
    juju.config("docker-selfoss", {"ports": "80"})
    status = juju.wait(lambda now: jubilant.all_blocked(now, "docker-selfoss"))

    assert "Use: juju config docker-selfoss" in message(status, "docker-selfoss")
    assert visitor.get(selfoss).strip() == "two"
    juju.config("docker-selfoss", {"ports": "9000:80"})
    juju.wait(lambda now: jubilant.all_active(now, "docker-selfoss"))


def test_environment_is_a_user_secret(juju, selfoss) -> None:
    secret = juju.add_secret("selfoss-env", {"environment": "MODE=secret"})
    juju.grant_secret("selfoss-env", "docker-selfoss")
    juju.config("docker-selfoss", {"environment-secret": secret})
    juju.wait(lambda now: "grant-secret" in message(now, "docker-selfoss"))
    juju.grant_secret("selfoss-env", "build-hook")
    juju.wait(lambda now: jubilant.all_active(now, "docker-selfoss"))
    task = juju.run("docker-selfoss/0", "deploy", {"wait": True}, wait=600)

    assert json.loads(task.results["details"])["phase"] == "live"


def test_rotation_refuses_nobody(juju, git, selfoss) -> None:
    old = webhook(juju)
    juju.run("build-hook/leader", "rotate-secret", {"project": "docker-selfoss"})
    new = webhook(juju)
    assert new["secret"] != old["secret"]

    for number, said in enumerate((old, new)):
        body = git.push("docker-selfoss", f"rotated {number}")
        assert visitor.deliver(said["url"], body, said["secret"]) == 202


def test_refresh_fails_nobody(juju, selfoss) -> None:
    with visitor.visits(selfoss) as load:
        juju.refresh("build-hook", path=charm("docker-build-hook"))
        juju.wait(lambda now: jubilant.all_active(now, "build-hook"))

    assert load.failures == []


def test_removed_build_hook_leaves_its_data(juju, selfoss) -> None:
    juju.remove_application("build-hook")
    juju.wait(lambda now: "build-hook" not in now.apps)
    left = juju.exec("ls -d /var/lib/build-hook; ls /etc/systemd/system", machine=0).stdout

    assert "/var/lib/build-hook" in left
    assert "build-hook-" not in left
