"""The images of services that name one: what is done without an engine."""

import json
import types
from typing import Any, cast

import pytest

from build_hook import errors, part, project, settings
from build_hook.deploy.sources import service_images

SHOP = project.Project.model_validate(
    {"name": "shop", "repository": "https://h/shop.git", "compose": {}}
)
IMAGE = "registry.invalid/team/db:7"
# By name, and by the beginning of its id.
HERE = {IMAGE: "here", "abc": "of another project"}


@pytest.fixture
def services(tmp_path, monkeypatch):
    """Images where the docker command's logins are kept by a program that fails."""
    helper = tmp_path / "docker-credential-locked"
    helper.write_text("#!/bin/sh\necho the keyring is locked\nexit 1\n", encoding="utf-8")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    helpers = {"credHelpers": {"registry.invalid": "locked"}}
    (tmp_path / "config.json").write_text(json.dumps(helpers), encoding="utf-8")
    config = settings.load(tmp_path / "state", {})
    made = cast("Any", service_images.ServiceImages(config, cast("Any", None)))
    kept = []
    made._pulled = types.SimpleNamespace(
        find=lambda name: HERE.get(name), keep=lambda *what: kept.append(what)
    )
    made.kept = kept
    return made


@pytest.fixture
def log():
    return []


def job(log):
    build = types.SimpleNamespace(id=4)
    return types.SimpleNamespace(
        project=SHOP, log=log.append, build=build, check_stop=lambda: None
    )


def test_where_logins_cannot_be_read_the_image_that_is_here_will_do(services, log):
    one = part.make(SHOP, "db", {"reference": IMAGE})

    assert services.bring(job(log), one) == "here"
    assert services.kept == [("here", "shop.db", 4)]
    assert "login for registry.invalid cannot be read: Credentials store error" in log[0]


def test_no_name_is_taken_for_an_id(services, log, monkeypatch):
    def refuse(*_):
        raise errors.PullError("away")

    monkeypatch.setattr(services, "_newest", refuse)

    with pytest.raises(errors.ImageError, match="no image abc to be had"):
        services.bring(job(log), part.make(SHOP, "db", {"reference": "abc"}))


def test_where_there_is_none_it_is_no_fault_of_ours(services, log):
    one = part.make(SHOP, "db", {"reference": "registry.invalid/team/other:7"})

    with pytest.raises(errors.ImageError, match=r"no image registry\.invalid"):
        services.bring(job(log), one)
