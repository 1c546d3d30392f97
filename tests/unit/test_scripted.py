"""Containers that scripts asked for are made again from what was recorded."""

import types
from typing import Any, cast

import pytest

from build_hook import deployed, project
from build_hook.deploy import clients, confided, runspec, scripted

SHOP = project.Project.model_validate(
    {"name": "shop", "repository": "https://h/docker-shop.git", "strategy": "script",
     "environment": {"MODE": "live"}, "env_file": ["env"]}
)  # fmt: skip


class Boxes:
    """Containers of which none is left."""

    def of_build(self, name, build):
        return None

    def network(self):
        return "build-hook"

    def resume(self, container):
        return container


@pytest.fixture
def said(tmp_path, monkeypatch):
    """What the docker command finds around it is written to this file."""
    file = tmp_path / "said"
    docker = tmp_path / "docker"
    docker.write_text(f'#!/bin/sh\necho "$@" > {file}\nenv >> {file}\necho made\n')
    docker.chmod(0o755)
    monkeypatch.setattr(clients, "find", lambda: clients.Client((str(docker), "build"), {}))
    return file


def confide(config, text):
    file = config.secrets / "env"
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)


def test_roll_back_gives_e_name_what_the_project_gave_and_nothing_of_the_workers(
    config, said, monkeypatch
):
    monkeypatch.setenv("OF_THE_WORKER", "hers")
    kept = confided.Confided(config)
    ran = deployed.of(SHOP, run_line=["-e", "TOKEN", "-e", "MODE", "-e", "OF_THE_WORKER", "shop"])
    confide(config, "TOKEN=first\n")
    kept.keep(ran, 1, None, print)
    confide(config, "TOKEN=second\n")
    kept.keep(ran, 2, 1, print)
    engine = cast("Any", types.SimpleNamespace(host="unix:///run/x.sock", instance="default"))

    started = scripted.Scripted(engine, cast("Any", Boxes()), kept).start(ran, 2, "c", "image")

    assert started == "made"
    first, *variables = said.read_text().splitlines()
    assert first.startswith("create --name ")
    assert "--env=TOKEN" in first
    assert {"TOKEN=first", "MODE=live", "DOCKER_HOST=unix:///run/x.sock"} <= set(variables)
    assert not any(variable.startswith("OF_THE_WORKER") for variable in variables)
    assert any(variable.startswith("HOME=/") for variable in variables)


def test_project_cannot_lead_the_docker_command_elsewhere(config, said):
    confide(config, "DOCKER_HOST=tcp://elsewhere\n")

    around = scripted.environment(SHOP, config.secrets, "unix:///run/x.sock")

    assert around["DOCKER_HOST"] == "unix:///run/x.sock"
    assert runspec.environment(SHOP, config.secrets)["DOCKER_HOST"] == "tcp://elsewhere"
