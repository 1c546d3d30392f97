"""Machines as containers: systemd as PID 1, a Docker engine of their own, the base's Python.

The image is made from the distribution's packages, with those that the charms install already
there: a machine's own network is not needed then. No system call filter and all capabilities but
SYS_RESOURCE: the engine inside needs to make containers itself.
"""

import contextlib
import dataclasses
import hashlib
import io
import pathlib
import platform
import shutil
import subprocess
import tarfile
from collections.abc import Iterator

from tests.formation import machines
from tools import interpreter

DOCKER = "/usr/bin/docker"
IMAGE = "build-hook-formation/machine"
PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "iproute2", "iptables", "git", "ca-certificates", "procps",
    "netbase", "apparmor", "docker.io", "haproxy", "nftables", "conntrack",
)  # fmt: skip
# What an interpreter that is brought along is linked with.
LIBRARIES = (
    "libsqlite3-0", "libffi8", "libssl3", "libbz2-1.0", "liblzma5", "zlib1g", "libncursesw6",
    "libreadline8",
)  # fmt: skip
AGENT = "/var/lib/juju/agent"
_DOCKERFILE = """
FROM BASE
STOPSIGNAL SIGRTMIN+3
COPY python /usr/local
COPY --chmod=755 start /sbin/start
RUN ldconfig && ln -s /var/lib/juju/agent/tools/juju-exec /usr/bin/juju-exec \\
 && useradd --create-home --shell /bin/bash ubuntu \\
 && systemctl mask systemd-udevd.service systemd-udevd-kernel.socket \\
    systemd-udevd-control.socket sys-kernel-config.mount sys-kernel-debug.mount \\
    sys-kernel-tracing.mount dev-hugepages.mount dev-mqueue.mount systemd-modules-load.service \\
    systemd-logind.service getty.target console-getty.service \\
 && systemctl disable apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \\
    e2scrub_all.timer fstrim.timer haproxy.service && : >/etc/machine-id
VOLUME ["/var/lib/docker", "/var/lib/containerd"]
CMD ["/sbin/start"]
"""
# The engine's runtime writes control groups, which the container has been given read-only.
_START = """#!/bin/sh
for folder in /sys /sys/fs/cgroup /sys/fs/cgroup/*; do
    if mountpoint -q "$folder"; then mount -o remount,bind,rw "$folder"; fi
done
exec /lib/systemd/systemd
"""
_MARK = "--- processor time:"
_TIMED = f"./dispatch; status=$?; echo '{_MARK}'; times; exit $status"
_RIGHTS = (
    "--cap-add=ALL", "--cap-drop=SYS_RESOURCE", "--security-opt=seccomp=unconfined",
    "--security-opt=apparmor=unconfined", "--security-opt=systempaths=unconfined",
    "--cgroupns=private", "--tmpfs=/run", "--tmpfs=/run/lock", "--tmpfs=/tmp:exec",
)  # fmt: skip


def docker(*arguments: str, stdin: bytes | None = None) -> str:
    """Ask the engine that carries the machines; it must succeed."""
    done = subprocess.run(
        [DOCKER, *arguments], input=stdin, check=False, capture_output=True, timeout=600
    )
    if done.returncode:
        raise RuntimeError(f"docker {arguments[0]}: {done.stderr.decode(errors='replace')}")
    return done.stdout.decode()


def ensure_image(folder: pathlib.Path, python: interpreter.Interpreter) -> str:
    """Make the image of a machine, unless it is there; its name."""
    packages = [*PACKAGES, "python3"] if is_own(python) else [*PACKAGES, *LIBRARIES]
    suite = platform.freedesktop_os_release()["VERSION_CODENAME"]
    recipe = repr((suite, packages, _DOCKERFILE, _START, str(python.program)))
    name = f"{IMAGE}:{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    if not docker("images", "--quiet", name):
        make_image(folder / "image", name, suite, packages, python)
    return name


def make_image(
    context: pathlib.Path, name: str, suite: str, packages: list[str],
    python: interpreter.Interpreter,
) -> None:  # fmt: skip
    """Make it from the distribution's packages."""
    context.mkdir(parents=True)
    archive, base = context.with_suffix(".tar"), f"{name}-base"
    subprocess.run(
        [
            "mmdebstrap", "--variant=minbase", f"--include={','.join(packages)}",
            "--components=main,universe" if suite_is_of_ubuntu() else "--components=main",
            suite, archive,
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    docker("import", str(archive), base)
    archive.unlink()
    copy_python(context / "python", python)
    (context / "start").write_text(_START)
    (context / "Dockerfile").write_text(_DOCKERFILE.replace("BASE", base))
    subprocess.run(
        [DOCKER, "build", "--quiet", f"--tag={name}", str(context)],
        check=True, capture_output=True, env={"DOCKER_BUILDKIT": "1", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    docker("rmi", base)


def suite_is_of_ubuntu() -> bool:
    """Whether the engine and the proxy are in another component than the rest."""
    return platform.freedesktop_os_release().get("ID") == "ubuntu"


def is_own(python: interpreter.Interpreter) -> bool:
    """Whether the interpreter is the distribution's, which the image has as a package."""
    return python.prefix == pathlib.Path("/usr")


def copy_python(target: pathlib.Path, python: interpreter.Interpreter) -> None:
    """Copy the interpreter that the charms are packed for, without what no charm needs."""
    (target / "bin").mkdir(parents=True)
    if is_own(python):
        return
    prefix, name = python.prefix, python.name
    unneeded = shutil.ignore_patterns("test", "__pycache__", "site-packages", "tkinter", "idlelib")
    shutil.copytree(prefix / "lib" / name, target / "lib" / name, ignore=unneeded)
    for library in prefix.glob(f"lib/lib{name}.so*"):
        shutil.copy2(library, target / "lib", follow_symlinks=False)
    shutil.copy2(prefix / "bin" / name, target / "bin")
    (target / "bin" / "python3").symlink_to(name)


def processor_time(times: str) -> float:
    """User's and system's seconds of a shell's children, as ``times`` prints them."""
    children = times.strip().splitlines()[-1]
    parts = (part.rstrip("s").split("m") for part in children.split())
    return sum(60 * float(minutes) + float(seconds) for minutes, seconds in parts)


@dataclasses.dataclass
class Container:
    """A machine of the model in a container."""

    id: str
    name: str
    address: str

    def put(self, unit: str, folder: pathlib.Path) -> None:
        """Bring a charm as Juju does: what is of the new one replaces what is there."""
        charm = self._charm(unit)
        self.run("mkdir", "-p", charm)
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            tar.add(folder, arcname=".")
        docker("cp", "-", f"{self.name}:{charm}", stdin=packed.getvalue())

    def environment(self, unit: str) -> dict[str, str]:
        """Paths inside."""
        return {
            "PATH": f"{AGENT}/tools:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "JUJU_CHARM_DIR": self._charm(unit),
            "JUJU_AGENT_SOCKET_ADDRESS": f"{AGENT}/agent.sock",
        }

    def dispatch(self, unit: str, environment: dict[str, str]) -> machines.Ran:
        """Run the charm inside, as root as Juju does."""
        charm = self._charm(unit)
        flags = [f"--env={key}={value}" for key, value in environment.items()]
        done = subprocess.run(
            [DOCKER, "exec", *flags, f"--workdir={charm}", self.name, "sh", "-c", _TIMED],
            check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=machines.TIMEOUT,
        )  # fmt: skip
        output, _, times = done.stdout.rpartition(_MARK)
        return machines.Ran(done.returncode, output, processor_time(times))

    def forget(self, unit: str) -> None:
        """Remove the charm's folder."""
        self.run("rm", "-rf", self._charm(unit))

    def run(self, *argv: str) -> str:
        """Run a command inside; what it prints."""
        return docker("exec", self.name, *argv)

    def _charm(self, unit: str) -> str:
        return f"/var/lib/juju/agents/{machines.tag(unit)}/charm"


def start(number: str, name: str, network: str, agent: pathlib.Path, image: str) -> Container:
    """Start a machine and wait until systemd has brought it up."""
    docker(
        "run", "--detach", f"--name={name}", f"--hostname={name}", f"--network={network}",
        f"--volume={agent}:{AGENT}", *_RIGHTS, image,
    )  # fmt: skip
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    machine = Container(number, name, docker("inspect", f"--format={form}", name).strip())
    state = ""
    for _ in range(120):
        waiting = [DOCKER, "exec", name, "systemctl", "is-system-running", "--wait"]
        state = subprocess.run(waiting, check=False, capture_output=True, text=True).stdout
        if state.strip() in ("running", "degraded"):
            return machine
    raise RuntimeError(f"{name} does not come up: {state}")


@contextlib.contextmanager
def network(name: str) -> Iterator[str]:
    """A network for machines; the address under which they find this one.

    Machines that an earlier run was too hurried to remove go first.
    """
    if left := docker("ps", "--all", "--quiet", f"--filter=network={name}").split():
        docker("rm", "--force", "--volumes", *left)
    if docker("network", "ls", "--quiet", f"--filter=name=^{name}$"):
        docker("network", "rm", name)
    docker("network", "create", name)
    try:
        form = "{{range .IPAM.Config}}{{.Gateway}}{{end}}"
        yield docker("network", "inspect", f"--format={form}", name).strip()
    finally:
        if not docker("ps", "--quiet", f"--filter=network={name}"):
            docker("network", "rm", name)
