"""Machines as containers: systemd as PID 1, a Docker engine of their own, the base's Python.

No system call filter and all capabilities but SYS_RESOURCE: the engine inside needs to make
containers itself.
"""

import contextlib
import dataclasses
import io
import pathlib
import subprocess
import tarfile
from collections.abc import Iterator

from tests.formation import machines

DOCKER = "/usr/bin/docker"
AGENT = "/var/lib/juju/agent"
STORAGE = "/var/lib/juju/storage"
_MARK = "--- processor time:"
# By the machine's own clock: what it takes to get into a container is no part of a hook.
_TIMED = (
    "read before _ < /proc/uptime; ./dispatch; status=$?; read after _ < /proc/uptime; "
    f"echo '{_MARK}' $before $after; times; exit $status"
)
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
        output, _, measured = done.stdout.rpartition(_MARK)
        clock, _, times = measured.partition("\n")
        before, after = map(float, clock.split())
        return machines.Ran(done.returncode, output, processor_time(times), after - before)

    def start_of_python(self, unit: str) -> float:
        """The processor time of a charm that does nothing: Python with ops and pydantic."""
        begin = (
            "PYTHONPATH=$(echo venv/lib/python3.*/site-packages) python3 -c 'import ops, pydantic'"
        )
        inside = ("exec", f"--workdir={self._charm(unit)}", self.name)
        return processor_time(docker(*inside, "sh", "-c", f"{begin}; times"))

    def store(self, name: str) -> str:
        """A folder where the image has a volume."""
        path = f"{STORAGE}/{name}"
        self.run("mkdir", "-p", path)
        return path

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
        "run", "--detach", "--stop-signal=SIGRTMIN+3", f"--name={name}", f"--hostname={name}",
        f"--network={network}", f"--volume={agent}:{AGENT}", *_RIGHTS, image,
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
