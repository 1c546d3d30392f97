"""The machine with the engine: packages, ``daemon.json`` and the service, as plain verbs."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
from typing import Any

PACKAGE = "docker.io"
# BuildKit is a package of its own where the engine is 23 or newer.
BUILDER = "docker-buildx"
COMPOSE = ("docker-compose-v2", "docker-compose")
DAEMON_FILE = pathlib.Path("/etc/docker/daemon.json")
SERVICE = "docker.service"
TIMEOUT = 600


class EngineError(Exception):
    """A command of the machine failed, or the file is none that can be merged into."""


def has(program: str) -> bool:
    """Whether the machine has the program."""
    return shutil.which(program) is not None


def is_installed() -> bool:
    """Whether the machine has an engine."""
    return has("dockerd")


def install(version: str | None = None) -> None:
    """Install the engine, in a version of the distribution if one is given."""
    run("/usr/bin/apt-get", "update", "-q")
    _apt_install(f"{PACKAGE}={version}" if version else PACKAGE)
    if is_offered(BUILDER):
        _apt_install(BUILDER)


def ensure_version(version: str | None) -> bool:
    """Bring the engine into the version and hold it there; True if it was installed anew."""
    if version is None:
        if PACKAGE in run("/usr/bin/apt-mark", "showhold").split():
            run("/usr/bin/apt-mark", "unhold", PACKAGE)
        return False
    changed = installed_version() != version
    if changed:
        install(version)
    if PACKAGE not in run("/usr/bin/apt-mark", "showhold").split():
        run("/usr/bin/apt-mark", "hold", PACKAGE)
    return changed


def ensure_compose() -> None:
    """Install Compose if it is missing."""
    if has("docker-compose") or is_package(COMPOSE[0]):
        return
    offered = [package for package in COMPOSE if is_offered(package)]
    if not offered:
        raise EngineError("This distribution has no package of Compose")
    _apt_install(offered[0])


def installed_version() -> str:
    """The installed version of the package; empty if there is none."""
    try:
        return run("/usr/bin/dpkg-query", "--show", "--showformat=${Version}", PACKAGE)
    except EngineError:
        return ""


def is_offered(package: str) -> bool:
    """Whether the machine's sources have the package."""
    try:
        run("/usr/bin/apt-cache", "show", "--no-all-versions", package)
    except EngineError:
        return False
    return True


def is_package(package: str) -> bool:
    """Whether the package is installed."""
    try:
        return "installed" in run("/usr/bin/dpkg-query", "-W", "-f=${db:Status-Status}", package)
    except EngineError:
        return False


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
    DAEMON_FILE.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=DAEMON_FILE.parent, prefix=".daemon.json.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        os.fchmod(handle, 0o644)
        file.write(json.dumps(keys, indent=2, sort_keys=True) + "\n")
        file.flush()
        os.fsync(handle)
    os.replace(name, DAEMON_FILE)


def apply(verb: str) -> None:
    """Have the engine ``reload`` or ``restart``."""
    run("/usr/bin/systemctl", verb, SERVICE)


def is_running() -> bool:
    """Whether systemd runs the engine."""
    argv = ["/usr/bin/systemctl", "is-active", "--quiet", SERVICE]
    return subprocess.run(argv, check=False, timeout=TIMEOUT).returncode == 0


def docker(*arguments: str) -> str:
    """Ask the engine something."""
    return run("/usr/bin/docker", *arguments)


def run(*argv: str) -> str:
    """Run a command and return what it printed.

    Raises:
        EngineError: if it fails.

    """
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            argv, check=True, capture_output=True, text=True, timeout=TIMEOUT, env=environment
        )
    except subprocess.CalledProcessError as error:
        last = (error.stderr or error.stdout).strip().splitlines()[-1:]
        raise EngineError(f"{' '.join(argv[:3])} failed: {''.join(last)}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"{' '.join(argv[:3])} failed: {error}") from error
    return done.stdout


def _apt_install(package: str) -> None:
    flags = ("-q", "-y", "--no-install-recommends")
    pinned = ("--allow-downgrades", "--allow-change-held-packages")
    run("/usr/bin/apt-get", "install", *flags, *pinned, package)
