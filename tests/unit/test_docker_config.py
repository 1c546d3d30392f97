"""The docker command's configuration for one build."""

import base64
import json

import pytest

from build_hook import recipe
from build_hook.deploy import docker_config, manifests

WHO = manifests.Login("ann", "open sesame")
AUTH = base64.b64encode(b"ann:open sesame").decode()


@pytest.fixture
def own(tmp_path):
    folder = tmp_path / "own"
    (folder / "cli-plugins").mkdir(parents=True)
    return folder


def configured(tmp_path, own, **logins):
    environ = {"DOCKER_CONFIG": str(own)}
    place = tmp_path / "place"
    with docker_config.with_logins(place, logins or {"h.lan:5000": WHO}, environ) as variables:
        assert variables == {"DOCKER_CONFIG": str(place)}
        assert [oct(p.stat().st_mode & 0o777) for p in (place, place / "config.json")] == [
            "0o700",
            "0o600",
        ]
        assert (place / "cli-plugins").resolve() == own / "cli-plugins"
        found = json.loads((place / "config.json").read_text())
    assert not place.exists()
    return found


def test_login_stands_beside_what_the_worker_has(tmp_path, own):
    (own / "config.json").write_text('{"auths": {"other": {"auth": "x"}}, "proxies": {"a": 1}}')

    found = configured(tmp_path, own)

    assert found["auths"] == {"other": {"auth": "x"}, "h.lan:5000": {"auth": AUTH}}
    assert found["proxies"] == {"a": 1}


def test_store_of_logins_does_not_hide_it(tmp_path, own):
    (own / "config.json").write_text('{"credsStore": "pass", "credHelpers": {"gcr.io": "g"}}')

    found = configured(tmp_path, own)

    assert found["credsStore"] == "pass"
    assert found["credHelpers"] == {"gcr.io": "g", "h.lan:5000": ""}


def test_hub_has_the_name_that_the_command_knows(tmp_path, own):
    assert configured(tmp_path, own, **{"docker.io": WHO})["auths"] == {
        "https://index.docker.io/v1/": {"auth": AUTH}
    }


def test_folder_that_a_crash_left_is_made_anew(tmp_path, own):
    (tmp_path / "place").mkdir()
    (tmp_path / "place/config.json").write_text("{}")

    assert configured(tmp_path, own)["auths"]


def test_login_is_gone_when_the_build_fails(tmp_path, own):
    with (
        pytest.raises(ZeroDivisionError),
        docker_config.with_logins(tmp_path / "place", {"h.lan": WHO}, {"HOME": "/nowhere"}),
    ):
        raise ZeroDivisionError
    assert not (tmp_path / "place").exists()


def test_without_logins_the_command_has_its_own_configuration(tmp_path):
    with docker_config.with_logins(tmp_path / "place", {}, {}) as variables:
        assert variables == {}
        assert not (tmp_path / "place").exists()


@pytest.mark.parametrize("text", ["[]", "{", "{}"])
def test_configuration_that_cannot_be_read_is_none(tmp_path, text):
    (tmp_path / "config.json").write_text(text)

    assert docker_config.read(tmp_path) == {}


def test_hosts_are_those_of_references():
    given = {"Index.docker.io": "a", "GHCR.io": "b", "h.lan:5000": "c"}

    assert list(recipe.Build(registry_logins=given).registry_logins) == [
        "docker.io", "ghcr.io", "h.lan:5000",
    ]  # fmt: skip


@pytest.mark.parametrize("host", ["https://ghcr.io", "ghcr.io/team", "", "a b"])
def test_what_is_no_host_is_refused(host):
    with pytest.raises(ValueError, match="must be the host of a registry"):
        recipe.Build(registry_logins={host: "a"})
