"""The product on this machine: folder, files and systemd units, each touched only if it differs.

What runs when the charm is refreshed: web and worker carry a digest of their code in their units
and are therefore restarted; the socket goes on listening meanwhile, so nobody is refused. The
proxy has turned into HAProxy, which needs nothing of the charm, and is left alone.
"""

import functools
import hashlib
import pathlib
import shlex
import string
import sys
from collections.abc import Iterable

import config
import machine
from build_hook import errors, port_probe, registry, settings
from build_hook.deploy import condition

COMMAND = pathlib.Path("/usr/local/bin/build-hook")
UNIT_FOLDER = pathlib.Path("/etc/systemd/system")
CHARM = pathlib.Path(__file__).resolve().parent.parent
PROXY, WORKER = "build-hook-proxy.service", "build-hook-worker.service"
SOCKET, WEB = "build-hook-web.socket", "build-hook-web.service"
REPORT, TELL = "build-hook-report.path", "build-hook-report.service"
SHIP = "build-hook-ship.service"  # only where somebody wants logs
UNITS = (PROXY, WORKER, SOCKET, WEB, REPORT)
FILES = (*UNITS, TELL, SHIP)  # TELL is started by REPORT, when a build has ended
BUILDS_CHANGED = "builds_changed"  # the event that it brings
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


def ensure_units(wanted: config.Config, *, refreshed: bool = False) -> tuple[str, ...]:
    """Bring the units into their wanted form; returns those that had failed, and try again."""
    units = _units(wanted)
    changed = tuple(unit for unit in (*units, TELL) if _write(unit, wanted))
    if _retire(set(FILES) - {*units, TELL}) or changed:
        machine.systemctl("daemon-reload")
    try:
        return _apply(units, changed, refreshed=refreshed)
    except machine.MachineError:
        for unit in changed:  # so that the next event sees that they still have to be applied
            (UNIT_FOLDER / unit).unlink()
        raise


def check_port(wanted: settings.Settings, app: str) -> None:
    """Refuse a place for web that cannot be had, before anything is changed for it.

    Raises:
        SettingsError: saying why, and how to set another.
    """
    unit = UNIT_FOLDER / SOCKET
    present = unit.read_text(encoding="utf-8").splitlines() if unit.exists() else []
    if f"ListenStream={_place(wanted)}" in present:
        return
    is_ours = any(line.endswith(f":{wanted.port}") for line in present)  # at another address
    if not port_probe.is_free(wanted.listen, 0):
        said = f"Config listen: {wanted.listen} is no address of this machine"
        raise errors.SettingsError(said, f"Use: juju config {app} listen=VALUE")
    if not (is_ours or port_probe.is_free(wanted.listen, wanted.port)):
        said = f"Config port: {wanted.port} is in use on this machine"
        raise errors.SettingsError(said, f"Use: juju config {app} port=VALUE")


def stopped(wanted: config.Config) -> tuple[str, ...]:
    """The units that should run and do not."""
    units = [unit for unit in _units(wanted) if unit != WORKER or has_docker()]
    active = machine.active(*units)
    return tuple(unit for unit in units if unit not in active)


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


def _units(wanted: config.Config) -> tuple[str, ...]:
    return (*UNITS, SHIP) if wanted.product.loki_urls else UNITS


def _retire(units: Iterable[str]) -> bool:
    """Stop and remove units that are not wanted any more; True if there were any."""
    present = sorted(unit for unit in units if (UNIT_FOLDER / unit).exists())
    if present:
        machine.systemctl("disable", "--no-reload", *present)
        machine.systemctl("stop", "--no-block", *present)
    for unit in present:
        (UNIT_FOLDER / unit).unlink()
    return bool(present)


def _apply(
    units: tuple[str, ...], changed: tuple[str, ...], *, refreshed: bool
) -> tuple[str, ...]:
    restart = {unit for unit in changed if unit != PROXY or not refreshed}
    if SOCKET in restart:
        restart.add(WEB)  # a socket cannot be moved under a running service
    active = machine.active(*units)
    wanted = tuple(unit for unit in units if unit != WORKER or has_docker())
    again = tuple(unit for unit in wanted if unit in restart)
    down = tuple(unit for unit in wanted if unit not in restart and unit not in active)
    fell = machine.failed(*down)  # before another start, which may end in the same way
    # Nobody waits: web answers what it was asked before it ends, for up to half a minute, and Juju
    # has other hooks to run. That the socket moves only then is systemd's to see to.
    if again:
        machine.systemctl("enable", "--no-reload", *again)
        machine.systemctl("restart", "--no-block", *again)
    if down:
        machine.systemctl("start", "--no-block", *down)
    return tuple(unit for unit in down if unit in fell)


def _write(unit: str, wanted: config.Config) -> bool:
    template = (CHARM / "src" / "templates" / unit).read_text(encoding="utf-8")
    text = string.Template(template).substitute(_context(unit, wanted))
    return machine.ensure_file(UNIT_FOLDER / unit, text, 0o644, "root", "root")


def _context(unit: str, wanted: config.Config) -> dict[str, object]:
    variables = environment(wanted.product)
    if unit == PROXY:  # its text must not change with what the proxy does not use
        variables = {"PYTHONPATH": variables["PYTHONPATH"]}
    return {
        "command": " ".join(command(wanted.product)),
        "environment": "\n".join(f'Environment="{k}={_quoted(v)}"' for k, v in variables.items()),
        "state": wanted.product.state,
        "user": wanted.user,
        "web_user": config.WEB_USER,
        "group": GROUP,
        "database": wanted.product.database,
        "turn": wanted.product.database.with_suffix(".turn"),
        "docker_group": DOCKER_GROUP,
        "place": _place(wanted.product),
        "code": _code_digest(),
        "report": condition.path(wanted.product.run),
        "juju_unit": wanted.unit,
        "event": BUILDS_CHANGED,
    }


def _place(of: settings.Settings) -> str:
    """Where web listens, as systemd.socket(5) reads it."""
    host = f"[{of.listen}]" if ":" in of.listen else of.listen
    return f"{host}:{of.port}".replace("%", "%%")


def _quoted(value: str) -> str:
    """A value between double quotes, as systemd.exec(5) reads them."""
    plain = value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return plain.replace("\n", "\\n")


def _python_path() -> list[str]:
    """The charm's code, and its packages where the interpreter does not know them by itself."""
    own = [entry for entry in sys.path if entry.startswith(f"{CHARM}/") and "/lib" in entry]
    return [str(CHARM / "src"), *(entry for entry in own if entry.endswith("-packages"))]


@functools.cache
def _code_digest() -> str:
    digest = hashlib.sha256()
    code = sorted((CHARM / "src" / "build_hook").rglob("*.py"))
    for path in [*code, CHARM / "requirements.txt"]:
        if path.exists():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
