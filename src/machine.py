"""The machine below the charm: packages, accounts, files and systemd, as plain verbs."""

import contextlib
import grp
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence

SYSTEMCTL = "/usr/bin/systemctl"
TIMEOUT = 300
# Whoever ends apt in the middle of its work leaves half a package: it may take what it takes.
APT_SECONDS = 3600
PATIENCE, PAUSE = 600.0, 5.0
_APT_OPTIONS = ("-q", "-y", "-oDPkg::Lock::Timeout=600")
_MADE_BY_US = "Made by docker-build-hook"


class MachineError(Exception):
    """A command of the machine failed; the message says which and why."""


def install(*packages: str) -> None:
    """Install packages of the distribution."""
    _apt_update()
    _apt_get("install", "--no-install-recommends", *packages)


def has(program: str) -> bool:
    """Whether the machine has that program."""
    return shutil.which(program) is not None


def has_group(name: str) -> bool:
    """Whether the machine has that group."""
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def ensure_user(name: str, group: str | None = None) -> None:
    """Make the system account if it is missing, with a group of its own or the one given."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        own = ["--gid", group] if group else ["--user-group"]
        mark = ["--comment", _MADE_BY_US, "--shell", "/usr/sbin/nologin"]
        where = ["--no-create-home", "--home-dir", "/nonexistent"]
        run("/usr/sbin/useradd", "--system", *where, *mark, *own, name)


def remove_user(name: str) -> None:
    """Remove the account if it is one that we made."""
    with contextlib.suppress(KeyError):
        if pwd.getpwnam(name).pw_gecos == _MADE_BY_US:
            run("/usr/sbin/userdel", name)


def ensure_folder(
    path: pathlib.Path, mode: int, user: str, group: str, *, whole: bool = True
) -> bool:
    """Make the folder, or hand it over, with all below it if ``whole``; True if it changed."""
    uid, gid = pwd.getpwnam(user).pw_uid, grp.getgrnam(group).gr_gid
    path.mkdir(parents=True, exist_ok=True)
    stat = path.stat()
    if (stat.st_uid, stat.st_gid, stat.st_mode & 0o7777) == (uid, gid, mode):
        return False
    for below in path.rglob("*") if whole else ():
        os.chown(below, uid, gid, follow_symlinks=False)
    os.chown(path, uid, gid)
    path.chmod(mode)
    return True


def ensure_file(path: pathlib.Path, content: str, mode: int, user: str, group: str) -> bool:
    """Replace the file if its content or owner is another; True if it was written."""
    uid, gid = pwd.getpwnam(user).pw_uid, grp.getgrnam(group).gr_gid
    if path.is_file() and _facts(path) == (content, mode, uid, gid):
        return False
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        os.fchmod(handle, mode)
        os.fchown(handle, uid, gid)
        file.write(content)
        file.flush()
        os.fsync(handle)
    os.replace(name, path)
    return True


def systemctl(*arguments: str) -> None:
    """Ask systemd for something."""
    run(SYSTEMCTL, *arguments)


def active(*units: str) -> frozenset[str]:
    """Those of the units that systemd runs, or is just about to start, or to start again.

    Not those that fell and are let rest before their next start, see ``Restart=``.
    """
    return frozenset(unit for unit, state in _states(units) if _is_up(state))


def failed(*units: str) -> frozenset[str]:
    """Those of the units that did not end well when they ran last, or could not start."""
    return frozenset(unit for unit, state in _states(units) if state["Result"] != "success")


def listens_on(unit: str) -> frozenset[int]:
    """The ports that systemd holds for a socket unit, whatever has become of its file."""
    if unit not in active(unit):
        return frozenset()
    shown = run(SYSTEMCTL, "show", "--property=Listen", unit)  # "Listen=[::]:8080 (Stream)"
    return frozenset(int(port) for port in re.findall(r":([0-9]+) \(Stream\)", shown))


def run(*argv: str, seconds: float = TIMEOUT) -> str:
    """Run a command and return what it printed.

    Raises:
        MachineError: if it fails.
    """
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            argv, check=True, capture_output=True, text=True, timeout=seconds, env=environment
        )
    except subprocess.CalledProcessError as error:
        last = (error.stderr or error.stdout).strip().splitlines()[-1:]
        raise MachineError(f"{' '.join(argv[:2])} failed: {''.join(last)}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MachineError(f"{' '.join(argv[:2])} failed: {error}") from error
    return done.stdout


def _states(units: Sequence[str]) -> list[tuple[str, dict[str, str]]]:
    """What systemd says of each unit, in this order."""
    if not units:
        return []  # it would tell of itself
    shown = run(SYSTEMCTL, "show", "--property=ActiveState,SubState,Result", *units)
    states = [dict(line.split("=", 1) for line in one.split()) for one in shown.split("\n\n")]
    return list(zip(units, states, strict=True))


def _is_up(state: Mapping[str, str]) -> bool:
    up = state["ActiveState"] in ("active", "activating", "deactivating", "reloading")
    return up and not state["SubState"].startswith("auto-restart")


def _apt_update() -> None:
    """Ask the sources; apt does not wait by itself for another that is just doing so."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return _apt_get("update")
        except MachineError as error:
            if "Unable to lock" not in str(error) or time.monotonic() > end:
                raise
        time.sleep(PAUSE)


def _apt_get(verb: str, *arguments: str) -> None:
    argv = ("/usr/bin/apt-get", verb, *_APT_OPTIONS, *arguments)
    try:
        run(*argv, seconds=APT_SECONDS)
    except MachineError as error:
        if "dpkg was interrupted" not in str(error):
            raise
        run("/usr/bin/dpkg", "--configure", "-a", seconds=APT_SECONDS)
        run(*argv, seconds=APT_SECONDS)


def _facts(path: pathlib.Path) -> tuple[str, int, int, int]:
    stat = path.stat()
    content = path.read_text(encoding="utf-8")
    return content, stat.st_mode & 0o7777, stat.st_uid, stat.st_gid
