"""Every run setting reaches the engine: each row fails when its setting is ignored."""

import json
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

from build_hook import errors, labels, project, secret_files, service, settings
from build_hook.demo import leftovers
from build_hook.deploy import containers, engine

NETWORK = "further"
ASKED: dict[str, Any] = {
    "environment": ["GREETING=hello"],
    "env_file": ["run-env"],
    "entrypoint": ["/bin/busybox"],
    "command": "sleep 600",
    "volumes": [
        "{state}/data:/data:ro",
        {
            "type": "bind",
            "source": "{state}/data",
            "target": "/more",
            "read_only": True,
            "bind": {"propagation": "rprivate"},
        },
        {"type": "volume", "source": "{named}", "target": "/named", "volume": {"nocopy": True}},
    ],
    "tmpfs": ["/scratch", "/quick:size=1m"],
    "secrets": [{"source": "run-file", "target": "token"}],
    "dns": "192.0.2.53",
    "group_add": [4242],
    "devices": ["/dev/null:/dev/nothing:r"],
    "security_opt": ["no-new-privileges:true", "seccomp={state}/seccomp.json"],
    "sysctls": {"net.core.somaxconn": 321},
    "ulimits": {"nofile": {"soft": 64, "hard": 128}, "core": 0},
    "extra_hosts": {"db": "192.0.2.7"},
    "hostname": "shop",
    "user": "1000:1000",
    "working_dir": "/bin",
    "init": True,
    "read_only": True,
    "cap_add": ["NET_ADMIN"],
    "cap_drop": ["CHOWN"],
    "shm_size": "8m",
    "labels": {"team": "shop"},
    "restart": "on-failure:3",
    "stop_signal": "SIGINT",
    "healthcheck": {
        "test": "CMD true",
        "interval": "7s",
        "timeout": "2s",
        "retries": 4,
        "start_period": "1m",
    },
    "deploy": {"resources": {"limits": {"cpus": 0.5, "memory": "64m", "pids": 50}}},
}
SEEN = {
    "environment": (("Config", "Env"), "GREETING=hello"),
    "env_file": (("Config", "Env"), "TOKEN=from-file"),
    "entrypoint": (("Config", "Entrypoint"), ["/bin/busybox"]),
    "command": (("Config", "Cmd"), ["sleep", "600"]),
    "volumes": (("HostConfig", "Binds"), "{state}/data:/data:ro"),
    "volumes.long": (("HostConfig", "Binds"), "{state}/data:/more:ro,rprivate"),
    "volumes.named": (("HostConfig", "Binds"), "{named}:/named:nocopy"),
    "tmpfs": (("HostConfig", "Tmpfs"), {"/scratch": "", "/quick": "size=1m"}),
    "secrets": (
        ("HostConfig", "Mounts"),
        [
            {
                "Type": "bind",
                "Source": "{state}/confided/all/1/files/0",
                "Target": "/run/secrets/token",
                "ReadOnly": True,
            }
        ],
    ),
    "dns": (("HostConfig", "Dns"), ["192.0.2.53"]),
    "group_add": (("HostConfig", "GroupAdd"), ["4242"]),
    "devices": (
        ("HostConfig", "Devices"),
        [
            {
                "PathOnHost": "/dev/null",
                "PathInContainer": "/dev/nothing",
                "CgroupPermissions": "r",
            }
        ],
    ),
    "security_opt": (("HostConfig", "SecurityOpt"), "no-new-privileges:true"),
    "security_opt.seccomp": (
        ("HostConfig", "SecurityOpt"),
        'seccomp={"defaultAction": "SCMP_ACT_ALLOW"}',
    ),
    "sysctls": (("HostConfig", "Sysctls"), {"net.core.somaxconn": "321"}),
    "ulimits": (
        ("HostConfig", "Ulimits"),
        [
            {"Name": "nofile", "Soft": 64, "Hard": 128},
            {"Name": "core", "Soft": 0, "Hard": 0},
        ],
    ),
    "extra_hosts": (("HostConfig", "ExtraHosts"), "db:192.0.2.7"),
    "hostname": (("Config", "Hostname"), "shop"),
    "user": (("Config", "User"), "1000:1000"),
    "working_dir": (("Config", "WorkingDir"), "/bin"),
    "init": (("HostConfig", "Init"), True),
    "read_only": (("HostConfig", "ReadonlyRootfs"), True),
    "cap_add": (("HostConfig", "CapAdd"), "NET_ADMIN"),
    "cap_drop": (("HostConfig", "CapDrop"), "CHOWN"),
    "shm_size": (("HostConfig", "ShmSize"), 8 * 2**20),
    "labels": (("Config", "Labels", "team"), "shop"),
    "restart": (("HostConfig", "RestartPolicy"), {"Name": "on-failure", "MaximumRetryCount": 3}),
    "stop_signal": (("Config", "StopSignal"), "SIGINT"),
    "healthcheck": (
        ("Config", "Healthcheck"),
        {
            "Test": ["CMD", "true"],
            "Interval": 7_000_000_000,
            "Timeout": 2_000_000_000,
            "Retries": 4,
            "StartPeriod": 60_000_000_000,
        },
    ),
    "deploy": (("HostConfig", "NanoCpus"), 500_000_000),
    "deploy.memory": (("HostConfig", "Memory"), 64 * 2**20),
    "deploy.pids": (("HostConfig", "PidsLimit"), 50),
    "networks": (("NetworkSettings", "Networks"), NETWORK),
    "address": (("NetworkSettings", "Networks"), "build-hook-{instance}"),
}
# These are tested where they act: builds, the proxy, the end of a container.
ELSEWHERE = {"build", "image", "ports", "stop_grace_period", "privileged"}


def filled(value: Any, **words: str) -> Any:
    """What is asked or wanted, with the names of this run in it."""
    if isinstance(value, dict):
        found: dict[str, Any] = value
        return {key: filled(each, **words) for key, each in found.items()}
    if isinstance(value, list):
        items: list[Any] = value
        return [filled(each, **words) for each in items]
    if isinstance(value, str):
        for name, word in words.items():
            value = value.replace(f"{{{name}}}", word)
    return value


@pytest.fixture(scope="module")
def made(base: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What the engine says of a container that was started with every setting."""
    options = settings.load(tmp_path_factory.mktemp("s"), {})
    docker = engine.Engine(options.docker_host, options.instance)
    (options.state / "data").mkdir()
    secret_files.write(options.secrets / "run-env", b"# a comment\nTOKEN=from-file\n")
    secret_files.write(options.secrets / "run-file", b"a value\n")
    profile = {"defaultAction": "SCMP_ACT_ALLOW"}
    (options.state / "seccomp.json").write_text(json.dumps(profile), encoding="utf-8")
    further = f"{NETWORK}-{options.instance}"
    docker.api.create_network(further, labels={labels.INSTANCE: options.instance})
    named = labels.container_name(options.instance, "all", 1)
    docker.api.create_volume(named, labels={labels.INSTANCE: options.instance})
    asked = filled({**ASKED, "networks": [further]}, state=str(options.state), named=named)
    of = project.Project.model_validate(
        {"name": "all", "repository": "https://h.example/r", **asked}
    )
    try:
        boxes = containers.Containers(docker, options)
        started = boxes.start(of, 1, "c" * 40, base)
        boxes.promote(started.id, of)
        found: dict[str, Any] = docker.api.inspect_container(started.id)
        yield {**found, "options": options, "address": started.address}
    finally:
        leftovers.remove(docker)


def test_every_setting_has_a_row():
    assert set(ASKED) | {"networks"} | ELSEWHERE == set(service.Service.model_fields)


@pytest.mark.parametrize("setting", SEEN)
def test_setting_reaches_the_engine(made: dict[str, Any], setting: str):
    path, wanted = SEEN[setting]
    options = made["options"]
    found: Any = made
    for step in path:
        found = found[step]
    named = labels.container_name(options.instance, "all", 1)
    words = {"state": str(options.state), "instance": options.instance, "named": named}
    wanted = filled(wanted, **words)
    if isinstance(wanted, str):
        names = [name.removesuffix(f"-{options.instance}") for name in found]
        assert wanted in found or wanted in names or wanted == found
    else:
        assert found == wanted


def test_the_address_is_that_of_our_own_network(made: dict[str, Any]):
    ours = made["NetworkSettings"]["Networks"][f"build-hook-{made['options'].instance}"]

    assert made["address"] == ours["IPAddress"]


def test_a_missing_env_file_starts_nothing(base: str, tmp_path: pathlib.Path):
    options = settings.load(tmp_path / "s", {})
    docker = engine.Engine(options.docker_host, options.instance)
    of = project.Project.model_validate(
        {"name": "lacking", "repository": "https://h.example/r", "env_file": ["gone"]}
    )
    try:
        with pytest.raises(errors.ContainerError, match=r"secret gone of env_file or secrets"):
            containers.Containers(docker, options).start(of, 1, "c" * 40, base)
        assert docker.api.containers(all=True, filters=docker.ours()) == []
    finally:
        leftovers.remove(docker)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("volumes", ["/data"], "its data would be lost"),
        ("volumes", ["a:b"], "SOURCE:TARGET"),
        ("labels", {"io.build-hook.project": "x"}, "build-hook's own"),
        ("restart", "sometimes", "restart"),
        ("deploy", {"resources": {"limits": {"memory": "lots"}}}, "memory"),
        ("healthcheck", {"test": ["true"]}, "must begin with NONE, CMD or CMD-SHELL"),
        ("stop_grace_period", "soon", "duration such as 1m30s"),
        ("environment", ["NO_VALUE"], "list of KEY=VALUE"),
    ],
)
def test_a_wrong_setting_is_refused_with_the_reason(field: str, value: Any, said: str):
    with pytest.raises(ValueError, match=said):
        project.Project.model_validate(
            {"name": "wrong", "repository": "https://h.example/r", field: value}
        )
