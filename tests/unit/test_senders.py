"""Who may send: source addresses, trusted proxies, and too many deliveries without proof."""

import time

import pydantic
import pytest

from build_hook import errors, project, settings
from tests import world as worlds

GUARDED = worlds.SHOP.model_copy(update={"allow_from": ("192.0.2.0/24",)})
DOORS = ("/", "/hooks/shop")


@pytest.fixture
def world(tmp_path):
    return worlds.World(tmp_path / "state")


def sent(address, path="/hooks/shop", delivery="d-1", forwarded=None, **more):
    call = worlds.push(path, delivery, **more)
    if forwarded:
        call["headers"]["X-Forwarded-For"] = forwarded
    return {**call, "remote_addr": address}


@pytest.mark.parametrize("path", DOORS)
def test_delivery_from_elsewhere_is_403_and_says_what_to_do(world, path):
    world.register(GUARDED)
    elsewhere, forged, good = world.call(
        sent("198.51.100.7", path),
        sent("198.51.100.7", path, secret=b"guess"),
        sent("192.0.2.9", path),
    )

    assert (elsewhere.status_code, forged.status_code, good.status_code) == (403, 403, 202)
    assert "198.51.100.7" in elsewhere.json["error"]
    assert "allow_from" in elsewhere.json["hint"]
    assert "trusted_proxies" in elsewhere.json["hint"]
    assert world.rows("SELECT remote FROM deliveries") == [("192.0.2.9",)]


def test_one_of_two_projects_takes_what_comes_from_elsewhere(world):
    world.register(GUARDED, worlds.SHOP.model_copy(update={"name": "open"}))
    result = world.call(sent("198.51.100.7", "/"))

    assert [build["project"] for build in result.json["builds"]] == ["open"]


def test_without_a_list_anywhere_is_fine(world):
    assert world.call(sent("198.51.100.7")).status_code == 202


def test_list_that_is_no_list_of_networks_is_refused():
    with pytest.raises(pydantic.ValidationError, match="must be a network"):
        project.Project.model_validate({**GUARDED.model_dump(), "allow_from": ["git.example"]})


@pytest.mark.parametrize(
    ("trusted", "forwarded", "status"),
    [
        ("", "192.0.2.9", 403),
        ("10.0.0.0/8", "192.0.2.9", 202),
        ("10.0.0.0/8", "192.0.2.9, 198.51.100.7", 403),
        ("10.0.0.0/8, 198.51.100.7", "192.0.2.9, 198.51.100.7", 202),
        ("172.16.0.0/12", "192.0.2.9", 403),
    ],
)
def test_forwarded_address_counts_from_trusted_proxies_only(tmp_path, trusted, forwarded, status):
    knob = {"TRUSTED_PROXIES": trusted} if trusted else {}
    world = worlds.World(tmp_path / "state", **knob)
    world.register(GUARDED)

    assert world.call(sent("10.0.0.1", forwarded=forwarded)).status_code == status


def test_log_and_store_name_the_client_behind_the_proxy(tmp_path, capsys):
    world = worlds.World(tmp_path / "state", TRUSTED_PROXIES="10.0.0.0/8")
    world.call(sent("10.0.0.1", forwarded="192.0.2.9"))

    assert "remote='192.0.2.9'" in capsys.readouterr().err
    assert world.rows("SELECT remote FROM deliveries") == [("192.0.2.9",)]


def test_proxies_come_from_the_file_as_a_list(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    (state / "settings.toml").write_text('trusted_proxies = ["10.0.0.1", "fd00::/8"]\n')

    assert settings.load(state, {}).trusted_proxies == ("10.0.0.1/32", "fd00::/8")
    (state / "settings.toml").write_text('trusted_proxies = ["proxy.example"]\n')
    with pytest.raises(errors.SettingsError, match="trusted_proxies"):
        settings.load(state, {})


@pytest.fixture
def strict(monkeypatch):
    bounds = {"burst": 3, "every": 60.0, "most": 10, "clock": time.monotonic}
    monkeypatch.setattr("build_hook.web.limiter.Limiter.__init__.__kwdefaults__", bounds)


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.usefixtures("strict")
def test_wrong_signatures_are_429_in_the_end_and_good_ones_pass(world, path):
    wrong = sent("192.0.2.9", path, secret=b"guess")
    *guesses, good, after, elsewhere = world.call(
        *[wrong] * 5, sent("192.0.2.9", path), wrong, sent("192.0.2.8", path, secret=b"guess")
    )

    assert [guess.status_code for guess in guesses] == [401, 401, 401, 429, 429]
    assert 0 < int(guesses[-1].headers["retry-after"]) <= 60
    assert "secret" in guesses[-1].json["hint"]
    assert good.status_code == 202
    assert (after.status_code, elsewhere.status_code) == (429, 401)


@pytest.mark.usefixtures("strict")
def test_only_what_proves_nothing_counts(world):
    others = [worlds.push("/hooks/nobody"), worlds.push(body=b"{")] * 5
    *_, wrong = world.call(*others, worlds.push(secret=b"guess"))

    assert wrong.status_code == 401
