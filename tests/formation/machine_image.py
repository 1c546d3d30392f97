"""The image of a machine: the distribution's packages and the Python of the charms' base.

What the charms install is already there, unless a bare one is asked for, so a machine needs no
network of its own. It is made in one pass, straight into the engine, which keeps it until the
recipe changes.
"""

import contextlib
import hashlib
import json
import pathlib
import platform
import shutil
import subprocess
from typing import IO

from tests.formation import containers
from tools import interpreter

IMAGE = "build-hook-formation/machine"
PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "iproute2", "ca-certificates", "procps", "netbase",
    "apparmor",
)  # fmt: skip
# What the charms bring where it is missing, and what that brings along.
OF_CHARMS = ("docker.io", "haproxy", "git", "nftables", "conntrack", "iptables")
# What an interpreter that is brought along is linked with.
LIBRARIES = (
    "libsqlite3-0", "libffi8", "libssl3", "libbz2-1.0", "liblzma5", "zlib1g", "libncursesw6",
    "libreadline8",
)  # fmt: skip
# What nobody reads in a machine that lives for minutes.
UNREAD = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
# The engine's runtime writes control groups, which the container has been given read-only.
_START = """#!/bin/sh
for folder in /sys /sys/fs/cgroup /sys/fs/cgroup/*; do
    if mountpoint -q "$folder"; then mount -o remount,bind,rw "$folder"; fi
done
exec /lib/systemd/systemd
"""
# Runs beside the new system, with its folder as the argument.
_FINISH = """#!/bin/sh
set -eu
cp -a "$(dirname "$0")/python/." "$1/usr/local/"
install -m 755 "$(dirname "$0")/start" "$1/sbin/start"
ln -s /var/lib/juju/agent/tools/juju-exec "$1/usr/bin/juju-exec"
chroot "$1" ldconfig
chroot "$1" useradd --create-home --shell /bin/bash ubuntu
chroot "$1" systemctl mask systemd-udevd.service systemd-udevd-kernel.socket \\
    systemd-udevd-control.socket sys-kernel-config.mount sys-kernel-debug.mount \\
    sys-kernel-tracing.mount dev-hugepages.mount dev-mqueue.mount systemd-modules-load.service \\
    systemd-logind.service getty.target console-getty.service
chroot "$1" systemctl disable apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \\
    e2scrub_all.timer fstrim.timer
test ! -e "$1/usr/sbin/haproxy" || chroot "$1" systemctl disable haproxy.service
: >"$1/etc/machine-id"
"""
_VOLUMES = ("/var/lib/docker", "/var/lib/containerd", containers.STORAGE)
_CHANGES = (f"VOLUME {json.dumps(_VOLUMES)}", 'CMD ["/sbin/start"]')


def ensure(
    folder: pathlib.Path, python: interpreter.Interpreter, more: tuple[str, ...] = OF_CHARMS
) -> str:
    """Make the image of a machine, unless it is there; its name."""
    packages = [*PACKAGES, *more, *(["python3"] if is_own(python) else LIBRARIES)]
    suite = platform.freedesktop_os_release()["VERSION_CODENAME"]
    recipe = repr((suite, packages, UNREAD, _START, _FINISH, _CHANGES, str(python.program)))
    name = f"{IMAGE}:{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    if not containers.docker("images", "--quiet", name):
        if more:
            forget_others()
        make(folder / "image", name, [f"--include={','.join(packages)}", suite], python)
    return name


def forget_others() -> None:
    """Remove the images of earlier recipes, but for those that a machine runs on."""
    listed = containers.docker("images", "--format={{.Repository}}:{{.Tag}}", IMAGE)
    for name in listed.split():
        with contextlib.suppress(RuntimeError):
            containers.docker("rmi", name)


def make(
    context: pathlib.Path, name: str, what: list[str], python: interpreter.Interpreter
) -> None:
    """Make it from the distribution's packages; the name is given to a whole one only."""
    context.mkdir(parents=True)
    copy_python(context / "python", python)
    (context / "start").write_text(_START)
    (context / "finish").write_text(_FINISH)
    (context / "finish").chmod(0o755)
    unfinished = f"{name}-unfinished"
    with (context / "log").open("w+b") as log:
        argv = [
            "mmdebstrap", "--variant=minbase", f"--components={components()}",
            *(f"--dpkgopt=path-exclude={unread}" for unread in UNREAD),
            f"--customize-hook={context / 'finish'}", *what, "-",
        ]  # fmt: skip
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=log) as made:
            problem = take_in(made.stdout, unfinished)
        if made.returncode:
            log.seek(0)
            problem = log.read()[-2000:]
    if problem:
        raise RuntimeError(f"image of a machine: {problem.decode(errors='replace')}")
    containers.docker("tag", unfinished, name)
    containers.docker("rmi", unfinished)


def take_in(archive: IO[bytes] | None, name: str) -> bytes:
    """Have the engine make an image of an archive while that is written; its complaint."""
    changes = [f"--change={change}" for change in _CHANGES]
    argv = [containers.DOCKER, "import", *changes, "-", name]
    done = subprocess.run(argv, stdin=archive, check=False, capture_output=True)
    return done.stderr if done.returncode else b""


def components() -> str:
    """Where the distribution has the engine and the proxy."""
    is_ubuntu = platform.freedesktop_os_release().get("ID") == "ubuntu"
    return "main,universe" if is_ubuntu else "main"


def is_own(python: interpreter.Interpreter) -> bool:
    """Whether the interpreter is the distribution's, which the image has as a package."""
    return python.prefix == pathlib.Path("/usr")


def copy_python(target: pathlib.Path, python: interpreter.Interpreter) -> None:
    """Copy the interpreter that the charms are packed for, without what no charm needs."""
    (target / "bin").mkdir(parents=True)
    if is_own(python):
        return
    prefix, name = python.prefix, python.name
    unneeded = shutil.ignore_patterns("test", "site-packages", "tkinter", "idlelib", "config-*")
    shutil.copytree(prefix / "lib" / name, target / "lib" / name, ignore=unneeded)
    for library in prefix.glob(f"lib/lib{name}.so*"):
        shutil.copy2(library, target / "lib", follow_symlinks=False)
    shutil.copy2(prefix / "bin" / name, target / "bin")
    (target / "bin" / "python3").symlink_to(name)
