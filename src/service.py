"""The product on this machine: accounts, folders, files, each touched only if it differs."""

import pathlib
import shlex
import sys

import config
import machine
from build_hook import errors, registry, settings

COMMAND = pathlib.Path("/usr/local/bin/build-hook")
CHARM = pathlib.Path(__file__).resolve().parent.parent
DOCKER_GROUP = "docker"
GROUP = config.WEB_USER
# Programs, and the packages that bring them; the last two pass UDP on.
PROGRAMS = {"haproxy": "haproxy", "git": "git", "nft": "nftables", "conntrack": "conntrack"}
SECRET_PREFIX = "hook."  # noqa: S105 - of file names; the folder holds others' files too


def install() -> None:
    """Bring what the product needs besides Docker."""
    missing = [package for program, package in PROGRAMS.items() if not machine.has(program)]
    if not missing:
        return
    machine.install(*missing)
    if "haproxy" in missing:
        # The package starts an HAProxy of its own; nobody asked for that one.
        machine.systemctl("disable", "--now", "haproxy.service")


def has_docker() -> bool:
    """Whether there is an engine for the worker to talk to."""
    return machine.has_group(DOCKER_GROUP)


def ensure_state(wanted: config.Config) -> None:
    """Make the state folder: web may read what it must and write only the database.

    The sticky bit keeps web, which is in the folder's group, from replacing the registry. In
    such a folder the kernel lets others open only what belongs to the folder's owner
    (fs.protected_regular): that is the worker's account, and the units see to the database.
    """
    state = wanted.product.state
    machine.ensure_user(config.WEB_USER)
    machine.ensure_user(wanted.user, wanted.user if machine.has_group(wanted.user) else GROUP)
    machine.ensure_folder(state, 0o3770, wanted.user, GROUP, whole=False)
    for path, mode, user in (
        (wanted.product.secrets, 0o710, config.WEB_USER),
        (wanted.product.certificates, 0o700, wanted.user),
        (wanted.product.repositories, 0o700, wanted.user),
        (wanted.product.checkouts, 0o700, wanted.user),
        (wanted.product.logs, 0o2750, wanted.user),
        (wanted.product.run, 0o3770, wanted.user),
    ):
        machine.ensure_folder(path, mode, user, GROUP, whole=path != wanted.product.secrets)
    settings.load(state, environ={})  # names the instance, before web could


def ensure_registry(wanted: settings.Settings, projects: registry.Registry) -> bool:
    """Write the registry if it says something new; web and worker read it by themselves."""
    return registry.save(wanted.registry, projects)


def present_registry(wanted: settings.Settings) -> registry.Registry:
    """What is in force now; nothing, if somebody has spoiled the file."""
    try:
        return registry.load(wanted.registry)
    except errors.RegistryError:
        return registry.Registry()


def ensure_command(wanted: settings.Settings) -> bool:
    """Give the operator of the machine the ``build-hook`` command."""
    variables = [f"{key}={value}" for key, value in environment(wanted).items()]
    argv = shlex.join(["/usr/bin/env", *variables, *command(wanted)])
    text = f'#!/bin/sh\n# Written by the docker-build-hook charm.\nexec {argv} "$@"\n'
    return machine.ensure_file(COMMAND, text, 0o755, "root", "root")


def environment(wanted: settings.Settings) -> dict[str, str]:
    """What the product's processes and its command line find in their environment."""
    skipped = {"state", "docker_host"}
    values = wanted.model_dump(mode="json", exclude_defaults=True, exclude=skipped)
    return {
        "PYTHONPATH": ":".join(_python_path()),
        "PYTHONDONTWRITEBYTECODE": "1",
        **{f"{settings.PREFIX}{name.upper()}": _text(value) for name, value in values.items()},
    }


def command(wanted: settings.Settings) -> list[str]:
    """The product's command, from the charm's own environment."""
    return [sys.executable, "-m", "build_hook", "--state", str(wanted.state)]


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}={each}" for name, each in value.items())
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _python_path() -> list[str]:
    """The charm's code, and its packages where the interpreter does not know them by itself."""
    own = [entry for entry in sys.path if entry.startswith(f"{CHARM}/") and "/lib" in entry]
    return [str(CHARM / "src"), *(entry for entry in own if entry.endswith("-packages"))]
