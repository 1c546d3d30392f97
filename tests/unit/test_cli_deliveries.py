"""``deliveries``, ``replay`` and ``explain`` of what was stored."""

import json

import click.testing
import pytest

from build_hook import cli, errors
from tests import world as worlds


@pytest.fixture
def world(tmp_path):
    made = worlds.World(tmp_path / "state")
    made.call(worlds.push(delivery="d-1"), worlds.push("/hooks/shop", "d-2"))
    return made


def run(world, *arguments):
    return click.testing.CliRunner().invoke(
        cli.group, ["--state", str(world.options.state), *arguments], catch_exceptions=False
    )


def told(world, *arguments):
    result = run(world, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_list_for_people(world):
    head, newest, oldest = run(world, "deliveries").stdout.splitlines()

    assert head.split() == ["delivery", "received", "provider", "event", "verdict", "builds"]
    assert newest.split()[0] == "2"
    assert "shop: build" in oldest


def test_list_is_of_one_project_and_no_longer_than_asked(world):
    assert [d["id"] for d in told(world, "deliveries", "shop")["deliveries"]] == [2, 1]
    assert told(world, "deliveries", "blog")["deliveries"] == []
    assert len(told(world, "deliveries", "--limit", "1")["deliveries"]) == 1


def test_show_has_headers_and_body(world):
    shown = run(world, "deliveries", "--show", "1").stdout
    found = told(world, "deliveries", "--show", "1")

    assert "x-github-delivery: d-1" in shown
    assert "verified  yes, by secret shop" in shown
    assert '"ref": "refs/heads/main"' in shown
    assert json.loads(found["body"])["ref"] == "refs/heads/main"
    assert found["headers"]["x-github-event"] == "push"


def test_nothing_that_a_terminal_acts_on_is_printed(world):
    call = worlds.push(delivery="\x9b31mred")
    call["headers"]["X-Odd"] = "\x9b2J"
    world.call(call)

    for arguments in (("deliveries",), ("deliveries", "--show", "3")):
        assert run(world, *arguments).stdout.replace("\n", "").isprintable()


def test_replay_queues_and_says_so(world):
    said = run(world, "replay", "1")
    found = told(world, "replay", "1")

    assert "shop: refs/heads/main moved" in said.stdout
    assert "build 3 is queued" in said.stdout
    assert [build["id"] for build in found["builds"]] == [4]
    assert [r["actor"] for r in told(world, "deliveries", "--show", "1")["replays"]] == [
        "command line"
    ] * 2
    assert "replayed" in run(world, "deliveries", "--show", "1").stdout


def test_delivery_that_is_not_there(world):
    for arguments in (("replay", "9"), ("deliveries", "--show", "9"), ("explain", "9")):
        with pytest.raises(errors.StoreError, match="There is no delivery 9"):
            run(world, *arguments)


def test_explain_of_a_stored_delivery_does_nothing(world):
    found = told(world, "explain", "1")

    assert (found["provider"], found["kind"], found["verified"]) == ("github", "push", True)
    assert found["matches"] == [
        {"project": "shop", "action": "build", "reason": "refs/heads/main moved"}
    ]
    assert world.rows("SELECT count(*) FROM builds") == [(2,)]
    assert "verified    yes" in run(world, "explain", "1").stdout


def test_explain_goes_by_the_registry_of_today(world):
    world.register(worlds.SHOP.model_copy(update={"ref": "refs/heads/topic"}))
    assert told(world, "explain", "1")["matches"][0]["action"] == "ignore"

    world.register()
    assert "not registered" in told(world, "explain", "1")["matches"][0]["reason"]


@pytest.mark.parametrize(
    "arguments", [(), ("--headers", __file__), ("1", "--headers", __file__, "--body", __file__)]
)
def test_explain_wants_one_or_the_other(world, arguments):
    result = run(world, "explain", *arguments)

    assert result.exit_code == 2
    assert "number of a stored delivery" in result.stderr
