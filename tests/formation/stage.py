"""What the story is told with: the model, its machines, a git host, and looks at all of them."""

import contextlib
import json
import pathlib
import time
from collections.abc import Callable

from tests.formation import containers, githost, model, visitor

SELFOSS, MUMBLE, HOOK = "docker-selfoss", "docker-mumble", "build-hook"
PATIENCE = 90


class UntrueError(Exception):
    """Something that the formation promises is not so."""


def expect(condition: bool, otherwise: str) -> None:
    """Refuse to go on if something is not so."""
    if not condition:
        raise UntrueError(otherwise)


def wait_until(is_so: Callable[[], bool], otherwise: str) -> float:
    """Wait for something; how long it took."""
    started = time.monotonic()
    while time.monotonic() - started < PATIENCE:
        if is_so():
            return time.monotonic() - started
        time.sleep(0.1)
    raise UntrueError(otherwise)


class Stage:
    """A formation, and verbs to deal with it."""

    def __init__(self, formation: model.Model, git: githost.GitHost, folder: pathlib.Path) -> None:
        self.model = formation
        self.git = git
        self.folder = folder

    @property
    def machine(self) -> containers.Container:
        """The first machine."""
        machine = self.model.machines["0"]
        assert isinstance(machine, containers.Container)
        return machine

    @property
    def address(self) -> str:
        """Where the first machine is."""
        return self.machine.address

    def selfoss(self) -> str:
        """What the first project answers."""
        return visitor.get(f"http://{self.address}:9000/").strip()

    def mumble(self) -> str:
        """What the second project answers, over TCP."""
        return visitor.read(self.address, 64738).strip()

    def content(self, *apps: str) -> None:
        """No unit of the applications, or of any, is anything but active."""
        units = self.model.statuses().items()
        states = {unit: status for unit, status in units if not apps or unit.split("/")[0] in apps}
        expect({state for state, _ in states.values()} == {"active"}, f"{states}")

    def act(self, action: str, **parameters: object) -> dict[str, str]:
        """Run an action of the build hook, and let its consequences settle."""
        task = self.model.run(f"{HOOK}/0", action, **parameters)
        expect(task.failure is None, f"{action}: {task.failure}")
        self.model.settle()
        return task.results

    def webhook(self, name: str) -> dict[str, str]:
        """What the operator enters at the git host."""
        return self.act("get-webhook", project=name, reveal=True)

    def deliver(self, name: str, version: str, secret: str) -> int:
        """Push a version and deliver it, signed; the status of the answer."""
        body = self.git.push(name, version)
        return visitor.deliver(f"http://{self.address}:8080/hooks/{name}", body, secret)

    def push(self, name: str, version: str) -> None:
        """Push a version, and deliver what a git host would."""
        webhook = self.webhook(name)
        body = self.git.push(name, version)
        status = visitor.deliver(webhook["url"], body, webhook["secret"])
        expect(status == 202, f"the delivery was answered {status}")

    def calm(self) -> None:
        """Wait until no build is under way: a new version is watched for a while."""

        def is_calm() -> bool:
            rows = json.loads(self.machine.run("build-hook", "projects", "--json"))["projects"]
            # Who came second, the delivery or a look, is told that the commit is live already.
            return all(row["last_build"].endswith((" live", " skipped")) for row in rows)

        wait_until(is_calm, "builds do not end")

    def containers(self, name: str) -> list[str]:
        """The containers of a project, running or not, newest first."""
        label = f"label=io.build-hook.project={name}"
        listed = self.machine.run("docker", "ps", "-a", "--filter", label, "--format={{.Names}}")
        return listed.split()

    def serving(self, name: str) -> str:
        """The container that carries a project."""
        return self.containers(name)[0]

    def environment(self, name: str) -> str:
        """The environment of the container that carries a project."""
        form = "--format={{json .Config.Env}}"
        return self.machine.run("docker", "inspect", form, self.serving(name))

    def pid(self, unit: str) -> str:
        """The main process of a unit."""
        return self.machine.run("systemctl", "show", "--property=MainPID", "--value", unit)

    def fingerprint(self) -> str:
        """When which of the files that charms write was changed last."""
        places = ["/etc/systemd/system", "/etc/docker/daemon.json", "/usr/local/bin/build-hook"]
        places += [f"/var/lib/build-hook/{name}" for name in ("registry.json", "secrets")]
        return self.machine.run("find", *places, "-printf", "%p %T@ %i\n")

    def wait_for(self, ask: "visitor.Question", answer: str) -> float:
        """Wait until a project answers that; how long it took."""

        def is_so() -> bool:
            with contextlib.suppress(OSError):
                return ask() == answer
            return False

        return wait_until(is_so, f"nobody answers {answer!r}")

    def visits(self) -> visitor.Load:
        """Requests to the first project, one after the other."""
        return visitor.visits(f"http://{self.address}:9000/")

    def deliveries(self, secrets: list[str]) -> visitor.Load:
        """Signed deliveries that ask for nothing, with the last of the secrets at that moment."""
        url, body = f"http://{self.address}:8080/hooks/{SELFOSS}", self.git.elsewhere(SELFOSS)

        def ask() -> None:
            status = visitor.deliver(url, body, secrets[-1])
            if status >= 400:
                raise OSError(f"a delivery was answered {status}")

        return visitor.Load("deliveries", ask, pause=0.1)


def nobody_failed(*loads: visitor.Load) -> str:
    """Refuse failures; what the loads were."""
    for load in loads:
        expect(not load.failures, f"{len(load.failures)} of {load}: {load.failures[:3]}")
    return f"{', '.join(map(str, loads))}; 0 failed"
