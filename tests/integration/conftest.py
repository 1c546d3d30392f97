"""A model of a real controller, with the packed charms in it and a git host beside it."""

import pathlib
import shutil
import socket
from collections.abc import Iterator

import jubilant
import pytest

from tests.formation import githost
from tools import pack

ROOT = pathlib.Path(__file__).parents[2]
MINUTES = 60.0


def charm(name: str) -> pathlib.Path:
    """A packed charm."""
    packed = ROOT / "dist" / f"{name}_{pack.architecture()}.charm"
    assert packed.exists(), "pack the charms first: ./dev pack"
    return packed


@pytest.fixture(scope="session")
def juju() -> Iterator[jubilant.Juju]:
    """An empty model, which is removed at the end."""
    assert shutil.which("juju"), "there is no juju here: bootstrap a controller first"
    with jubilant.temp_model() as made:
        made.wait_timeout = 20 * MINUTES
        # A grant of a secret tells nobody: what waits for one goes on at the next of these.
        made.model_config({"update-status-hook-interval": "1m"})
        yield made


@pytest.fixture(scope="session")
def host(juju: jubilant.Juju) -> str:
    """The address of a machine with Docker and a build hook."""
    juju.deploy(charm("docker"), "docker")
    juju.deploy(charm("docker-build-hook"), "build-hook")
    juju.integrate("build-hook:docker-host", "docker")
    status = juju.wait(lambda now: jubilant.all_active(now, "docker", "build-hook"))
    return status.apps["docker"].units["docker/0"].public_address


@pytest.fixture(scope="session")
def git(host: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[githost.GitHost]:
    """A git host on this machine, under the address that the model's machines reach."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route:
        route.connect((host, 9))  # nothing is sent: the kernel only chooses the way
        address = route.getsockname()[0]
    with githost.GitHost(tmp_path_factory.mktemp("git") / "repositories", address) as serving:
        yield serving


@pytest.fixture(scope="session")
def selfoss(juju: jubilant.Juju, host: str, git: githost.GitHost) -> str:
    """A project that serves; the URL of its published port."""
    config = {"repository": git.create("docker-selfoss"), "ref": "master", "ports": "9000:80"}
    juju.deploy(charm("dockerfile"), "docker-selfoss", config=config, to="0")
    juju.integrate("docker-selfoss:project", "build-hook")
    juju.wait(lambda now: "Serves " in message(now, "docker-selfoss"))
    return f"http://{host}:9000/"


def message(status: jubilant.Status, app: str) -> str:
    """What the first unit of an application says."""
    units = status.get_units(app)
    return next(iter(units.values())).workload_status.message if units else ""
