"""All that the demo needs around it, set up in order and taken down whatever happens."""

import contextlib
import dataclasses
import os
import pathlib
import secrets
import tempfile
from collections.abc import Callable, Generator

from build_hook import project, registry, secret_files, settings
from build_hook.demo import baseimage, delivery, git, gitserver, leftovers, product, workcopy
from build_hook.deploy import clients, engine
from build_hook.proxy import process
from build_hook.store import builds

PORTS = {"web": ("http", 8000), "echo": ("tcp", 7000)}
SUFFIX_ROOM = 40  # what a temporary folder's name and "state" take


@dataclasses.dataclass(frozen=True, slots=True)
class Stage:
    """The running parts."""

    product: product.Product
    builds: builds.Builds
    webhook: delivery.Webhook
    copies: dict[str, workcopy.WorkCopy]
    urls: dict[str, str]
    docker: engine.Engine
    host: gitserver.GitServer
    folder: pathlib.Path
    base: str


@contextlib.contextmanager
def set_up(step: Callable[[str], None]) -> Generator[Stage]:
    """Bring everything up to a product that runs and knows two empty repositories.

    Raises:
        BuildHookError: if something is missing on this machine.
    """
    with contextlib.ExitStack() as stack:
        step("Looking at this machine")
        folder = stack.enter_context(_folder())
        config = settings_for(folder / "state")
        check_machine(config)
        docker = engine.Engine(config.docker_host, config.instance)
        docker.ping()
        stack.callback(leftovers.remove, docker)
        step("Building the base image from scratch")
        base = baseimage.build(docker, _made(folder / "base"))
        step("Starting a git server")
        webhook = delivery.Webhook({name: secrets.token_hex(32).encode() for name in PORTS})
        host = stack.enter_context(gitserver.GitServer(_made(folder / "git"), webhook.fire))
        webhook.origin = host.address
        repositories = {name: host.create(name) for name in PORTS}
        urls = register(config, webhook.secrets, repositories, base)
        step("Starting build-hook serve")
        served = stack.enter_context(product.Product(config, folder / "serve.log"))
        served.wait_until_ready()
        webhook.target = served.url
        store = stack.enter_context(contextlib.closing(builds.Builds(config.database)))
        copies = {
            name: workcopy.WorkCopy(folder / name, url, host.authorization)
            for name, url in repositories.items()
        }
        yield Stage(served, store, webhook, copies, urls, docker, host, folder, base)
        step("Clearing up")


def check_machine(config: settings.Settings) -> None:
    """Look for the programs that are needed.

    Raises:
        BuildHookError: for the first that is missing, with how to get it.
    """
    process.command(config)
    git.path()
    baseimage.busybox()
    clients.find()


def settings_for(state: pathlib.Path) -> settings.Settings:
    """Settings of an instance that nobody outside this machine reaches."""
    chosen = {
        "LISTEN": "127.0.0.1",
        "PORT": str(product.free_port()),
        "PUBLISH_ADDRESS": "127.0.0.1",
    }
    given = {f"{settings.PREFIX}{name}": value for name, value in chosen.items()}
    engine_host = f"{settings.PREFIX}DOCKER_HOST"
    if engine_host in os.environ:
        given[engine_host] = os.environ[engine_host]
    return settings.load(state, given)


def register(
    config: settings.Settings, keys: dict[str, bytes], repositories: dict[str, str], base: str
) -> dict[str, str]:
    """Write the secrets and the registry; where each project will answer."""
    for name, key in keys.items():
        secret_files.create(config.secrets, name, key)
    projects = tuple(_project(name, url, base) for name, url in repositories.items())
    registry.save(config.registry, registry.Registry(projects=projects))
    return {
        p.name: f"{port.app_protocol}://127.0.0.1:{port.published}"
        for p in projects
        for port in p.ports
    }


@contextlib.contextmanager
def _folder() -> Generator[pathlib.Path]:
    """A folder in a place short enough for the sockets below it, gone afterwards."""
    usual = tempfile.gettempdir()
    short = len(usual) + SUFFIX_ROOM < settings.LONGEST_STATE_PATH
    with tempfile.TemporaryDirectory(
        prefix="build-hook-demo-",
        dir=usual if short else "/tmp",  # noqa: S108 - a folder of its own is made below it
        ignore_cleanup_errors=True,
    ) as name:
        yield pathlib.Path(name)


def _project(name: str, repository: str, base: str) -> project.Project:
    protocol, target = PORTS[name]
    return project.Project.model_validate(
        {
            "name": name,
            "repository": repository,
            "webhook_secrets": (name,),
            "build": {"args": {"BASE": base}},
            "ports": ({"target": target, "published": product.free_port(),
                       "app_protocol": protocol},),
            "health": {"path": "/"} if protocol == "http" else {},
            "stop_grace_period": 2,
            "drain": 4,
            "watch": 1,
        }
    )  # fmt: skip


def _made(folder: pathlib.Path) -> pathlib.Path:
    folder.mkdir()
    return folder
