"""The machine with the engine: ``daemon.json``, the service and the engine, as plain verbs."""

import json
import os
import pathlib
import subprocess
import tempfile
from collections.abc import Mapping
from typing import Any

CERTIFICATES = pathlib.Path("/etc/docker/certs.d")
UNITS = pathlib.Path("/etc/systemd/system")
PROXIES = UNITS / "docker.service.d/juju-proxies.conf"
# The engine's own processes; containers and the steps of builds have groups of their own. A unit
# that the machine has not is not missed: a drop-in waits for it. Its name comes before those of
# `systemctl set-property` (50-...) and `systemctl edit` (override), so that the operator's count.
WEIGHTS = (
    UNITS / "docker.service.d/10-juju-cpu-weight.conf",
    UNITS / "containerd.service.d/10-juju-cpu-weight.conf",
)
DAEMON_FILE = pathlib.Path("/etc/docker/daemon.json")
BUILD_HOOK = pathlib.Path("/usr/local/bin/build-hook")
SERVICE = "docker.service"
TIMEOUT = 600
_OURS = "juju-ca.crt"


class EngineError(Exception):
    """A command of the machine failed, or the file is none that can be merged into."""


def present_keys() -> dict[str, Any]:
    """What ``daemon.json`` says now.

    Raises:
        EngineError: if it is not a JSON object.

    """
    try:
        found = json.loads(DAEMON_FILE.read_text(encoding="utf-8") or "{}")
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise EngineError(f"{DAEMON_FILE} is not JSON: correct or remove it") from error
    if not isinstance(found, dict):
        raise EngineError(f"{DAEMON_FILE} is not a JSON object: correct or remove it")
    return found


def write_keys(keys: dict[str, Any]) -> None:
    """Replace ``daemon.json``."""
    write(DAEMON_FILE, json.dumps(keys, indent=2, sort_keys=True) + "\n")


def ensure_proxies(proxies: Mapping[str, str]) -> bool:
    """Have systemd start the engine with these variables; True if it did with others."""
    lines = [f'Environment="{name}={_quoted(value)}"' for name, value in proxies.items()]
    return _ensure_drop_ins(lines, PROXIES)


def ensure_weight(weight: int) -> None:
    """Have the engine's own work weigh so much, at once; with 0 systemd decides.

    Systemd sets the groups of running units anew whenever it reads their files: no restart.
    """
    _ensure_drop_ins([f"CPUWeight={weight}"] if weight else [], *WEIGHTS)


def ensure_authority(registry: str | None, certificate: str) -> None:
    """Trust a registry's authority, and none that the charm trusted before."""
    wanted = CERTIFICATES / registry / _OURS if registry and certificate else None
    for path in CERTIFICATES.glob(f"*/{_OURS}"):
        if path != wanted:
            path.unlink()
    if wanted and not (wanted.exists() and wanted.read_text("utf-8") == certificate):
        write(wanted, certificate)


def has_containers() -> bool:
    """Whether the engine has any container, running or not."""
    return is_running() and bool(docker("ps", "--all", "--quiet", "--last", "1").strip())


def log_drivers() -> tuple[str, ...]:
    """The log drivers that the engine has, those of its plugins too."""
    return tuple(json.loads(docker("info", "--format", "{{json .Plugins.Log}}")))


def release(folder: str) -> None:
    """Have the engine stop its containers when it is restarted next, if its data is there.

    They would hold it open where the engine may be restarted below them.
    """
    keys = present_keys()
    if not str(keys.get("data-root", "")).startswith(f"{folder}/"):
        return
    write_keys({**keys, "live-restore": False})
    apply("reload-or-restart")


def make_room() -> str:
    """Have the build hook of this machine remove what nothing needs; it alone knows what.

    Raises:
        EngineError: if there is none, or it fails.

    """
    if not BUILD_HOOK.exists():
        raise EngineError("There is no build hook on this machine: nothing here is ours to remove")
    return run(str(BUILD_HOOK), "gc", "--json")


def write(path: pathlib.Path, text: str) -> None:
    """Replace a file whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        os.fchmod(handle, 0o644)
        file.write(text)
        file.flush()
        os.fsync(handle)
    os.replace(name, path)


def apply(verb: str) -> None:
    """Have systemd do something with the engine, such as ``restart``."""
    run("/usr/bin/systemctl", verb, SERVICE)


def is_running() -> bool:
    """Whether systemd runs the engine."""
    argv = ["/usr/bin/systemctl", "is-active", "--quiet", SERVICE]
    return subprocess.run(argv, check=False, timeout=TIMEOUT).returncode == 0


def docker(*arguments: str) -> str:
    """Ask the engine something."""
    return run("/usr/bin/docker", *arguments)


def run(*argv: str, seconds: float = TIMEOUT) -> str:
    """Run a command and return what it printed.

    Raises:
        EngineError: if it fails.

    """
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            argv, check=True, capture_output=True, text=True, timeout=seconds, env=environment
        )
    except subprocess.CalledProcessError as error:
        last = (error.stderr or error.stdout).strip().splitlines()[-1:]
        raise EngineError(f"{' '.join(argv[:3])} failed: {''.join(last)}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"{' '.join(argv[:3])} failed: {error}") from error
    return done.stdout


def _ensure_drop_ins(lines: list[str], *paths: pathlib.Path) -> bool:
    """Have systemd add the lines to units, or nothing if there are none; True if that is new."""
    text = "\n".join(["# Written by the docker charm.", "[Service]", *lines, ""]) if lines else ""
    before = {path: said for path in paths if (said := _text(path)) != text}
    if not before:
        return False
    for path in before:
        _put(path, text)
    try:
        run("/usr/bin/systemctl", "daemon-reload")
    except EngineError:
        # As it was: the next event sees that it is still to be done.
        for path, said in before.items():
            _put(path, said)
        raise
    return True


def _put(path: pathlib.Path, text: str) -> None:
    """Write a file, or remove it where there is nothing to say."""
    if text:
        write(path, text)
    else:
        path.unlink(missing_ok=True)


def _text(path: pathlib.Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


def _quoted(value: str) -> str:
    """A value between double quotes, as systemd.exec(5) reads them."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
