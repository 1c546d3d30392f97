"""The systemd units of the product, each touched only if it differs.

What runs when the charm is refreshed: web and worker carry a digest of their code in their units
and are therefore restarted; the socket goes on listening meanwhile, so nobody is refused. The
proxy has turned into HAProxy, which needs nothing of the charm, and is left alone.
"""

import functools
import hashlib
import pathlib
import string
from collections.abc import Iterable

import config
import machine
import service
from build_hook import errors, port_probe, settings
from build_hook.deploy import condition

UNIT_FOLDER = pathlib.Path("/etc/systemd/system")
PROXY, WORKER = "build-hook-proxy.service", "build-hook-worker.service"
SOCKET, WEB = "build-hook-web.socket", "build-hook-web.service"
REPORT, TELL = "build-hook-report.path", "build-hook-report.service"
SHIP = "build-hook-ship.service"  # only where somebody wants logs
UNITS = (PROXY, WORKER, SOCKET, WEB, REPORT)
FILES = (*UNITS, TELL, SHIP)  # TELL is started by REPORT, when a build has ended
BUILDS_CHANGED = "builds_changed"  # the event that it brings


def ensure(wanted: config.Config, *, refreshed: bool = False) -> tuple[str, ...]:
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
    if not port_probe.is_free(wanted.listen, 0):
        said = f"Config listen: {wanted.listen} is no address of this machine"
        raise errors.SettingsError(said, f"Use: juju config {app} listen=VALUE")
    if port_probe.is_free(wanted.listen, wanted.port):
        return
    if wanted.port not in machine.listens_on(SOCKET):  # or it is ours, at another address
        said = f"Config port: {wanted.port} is in use on this machine"
        raise errors.SettingsError(said, f"Use: juju config {app} port=VALUE")


def stopped(wanted: config.Config) -> tuple[str, ...]:
    """The units that should run and do not."""
    units = [unit for unit in _units(wanted) if unit != WORKER or service.has_docker()]
    active = machine.active(*units)
    return tuple(unit for unit in units if unit not in active)


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
    wanted = tuple(unit for unit in units if unit != WORKER or service.has_docker())
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
    template = (service.CHARM / "src" / "templates" / unit).read_text(encoding="utf-8")
    text = string.Template(template).substitute(_context(unit, wanted))
    return machine.ensure_file(UNIT_FOLDER / unit, text, 0o644, "root", "root")


def _context(unit: str, wanted: config.Config) -> dict[str, object]:
    variables = service.environment(wanted.product)
    if unit == PROXY:  # its text must not change with what the proxy does not use
        variables = {"PYTHONPATH": variables["PYTHONPATH"]}
    return {
        "command": " ".join(service.command(wanted.product)),
        "environment": "\n".join(f'Environment="{k}={_quoted(v)}"' for k, v in variables.items()),
        "state": wanted.product.state,
        "user": wanted.user,
        "web_user": config.WEB_USER,
        "group": service.GROUP,
        "database": wanted.product.database,
        "turn": wanted.product.database.with_suffix(".turn"),
        "docker_group": service.DOCKER_GROUP,
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


@functools.cache
def _code_digest() -> str:
    digest = hashlib.sha256()
    code = sorted((service.CHARM / "src" / "build_hook").rglob("*.py"))
    for path in [*code, service.CHARM / "requirements.txt"]:
        if path.exists():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
