import json
import time

import click.testing
import pytest

from build_hook import cli, errors
from tests import world as worlds


@pytest.fixture
def world(tmp_path):
    return worlds.World(tmp_path / "state")


def run(world, *arguments):
    return click.testing.CliRunner().invoke(
        cli.group,
        ["--state", str(world.options.state), "token", *arguments],
        catch_exceptions=False,
    )


def status(world, token, method="GET", path="/api/v1/builds"):
    headers = {"Authorization": f"Bearer {token}"}
    return world.call({"method": method, "path": path, "headers": headers}).status_code


def test_token_stands_alone_on_stdout_and_opens_the_api(world):
    result = run(world, "create", "ci", "--scope", "read")
    token = result.stdout.strip()

    assert result.stdout == f"{token}\n"
    assert "not shown again" in result.stderr
    assert status(world, token) == 200
    assert status(world, token, "POST", "/api/v1/projects/shop/deploy") == 403


def test_list_says_everything_but_the_token(world):
    secret = json.loads(run(world, "create", "ci", "--scope", "admin", "--json").stdout)["token"]
    shown = run(world, "list")

    assert shown.stdout.splitlines()[1].split()[:2] == ["ci", "admin"]
    for text in (shown.output, run(world, "list", "--json").output):
        assert secret[5:] not in text
    status(world, secret)
    assert json.loads(run(world, "list", "--json").stdout)["tokens"][0]["last_used"] is not None


def test_expiry_is_in_days(world):
    made = json.loads(
        run(world, "create", "ci", "--scope", "read", "--expires", "2", "--json").stdout
    )

    assert abs(made["expires"] - time.time() - 2 * 86_400) < 60
    assert run(world, "create", "x", "--scope", "read", "--expires", "0").exit_code == 2


def test_expired_token_is_listed_as_such(world):
    world.token(name="old", expires=time.time() - 1)

    assert "has expired" in run(world, "list").stdout


def test_revoked_token_opens_nothing_at_once(world):
    token = run(world, "create", "ci", "--scope", "read").stdout.strip()
    assert status(world, token) == 200

    assert "opens nothing" in run(world, "revoke", "ci").stdout
    assert status(world, token) == 401
    with pytest.raises(errors.StoreError, match="no token ci"):
        run(world, "revoke", "ci")


def test_scope_must_be_said(world):
    assert run(world, "create", "ci").exit_code == 2
    assert run(world, "create", "ci", "--scope", "root").exit_code == 2
