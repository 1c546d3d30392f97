"""What the story is told with: the model, its machines, a git host, and looks at all of them."""

import json
import pathlib
import time
from collections.abc import Callable
from typing import Any

from tests.formation import containers, githost, logsink, model, visitor
from tools import pack

SELFOSS, MUMBLE, HOOK, DOCKER = "docker-selfoss", "docker-mumble", "build-hook", "docker"
PATIENCE = 120
WATCH = 2.0  # seconds; the default of 10 would make the story long
QUICK = {"watch": WATCH, "stop-grace-period": 1.0}  # what is built does not listen to SIGTERM
ROOT = pathlib.Path(__file__).parents[2]
_ENDED = ("live", "skipped", "cancelled", "superseded", "failed", "rolled-back")


class UntrueError(Exception):
    """Something that the formation promises is not so."""


def expect(condition: bool, otherwise: str) -> None:
    """Refuse to go on if something is not so."""
    if not condition:
        raise UntrueError(otherwise)


def wait_until(
    is_so: Callable[[], bool], otherwise: str, seen: Callable[[], object] | None = None
) -> float:
    """Wait for something; how long it took. If it does not come, what is ``seen`` is told."""
    started = time.monotonic()
    while time.monotonic() - started < PATIENCE:
        if is_so():
            return time.monotonic() - started
        time.sleep(0.1)
    told = f"; seen: {seen()}" if seen else ""
    raise UntrueError(f"{otherwise} within {PATIENCE} s{told}")


class Stage:
    """A formation, and verbs to deal with it; the machine is the first one if none is named."""

    def __init__(
        self, formation: model.Model, git: githost.GitHost, sink: logsink.LogSink,
        folder: pathlib.Path,
    ) -> None:  # fmt: skip
        self.model = formation
        self.git = git
        self.sink = sink
        self.folder = folder

    # --- machines

    def machine(self, number: str = "0") -> containers.Container:
        """A machine."""
        machine = self.model.machines[number]
        assert isinstance(machine, containers.Container)
        return machine

    def address(self, number: str = "0") -> str:
        """Where a machine is."""
        return self.machine(number).address

    def run(self, *argv: str) -> str:
        """Run a command on the first machine; what it prints."""
        return self.machine().run(*argv)

    def start_of_python(self) -> float:
        """The processor time of a charm that does nothing, on the first machine."""
        return self.machine().start_of_python(f"{MUMBLE}/0")

    def pid(self, unit: str) -> str:
        """The main process of a unit of systemd's."""
        return self.run("systemctl", "show", "--property=MainPID", "--value", unit)

    def fingerprint(self) -> str:
        """When which of the files that charms write was changed last."""
        places = ["/etc/systemd/system", "/etc/docker/daemon.json", "/usr/local/bin/build-hook"]
        places += [f"/var/lib/build-hook/{name}" for name in ("registry.json", "secrets")]
        return self.run("find", *places, "-printf", "%p %T@ %i\n")

    # --- what users and operators see

    def selfoss(self, number: str = "0") -> str:
        """What the first project answers."""
        return visitor.get(f"http://{self.address(number)}:9000/").strip()

    def mumble(self) -> str:
        """What the second project answers, over TCP."""
        return visitor.read(self.address(), 64738).strip()

    def listed(self, number: str = "0", port: int = 8080) -> list[str]:
        """The projects that the webhook server shows."""
        listing = json.loads(visitor.get(f"http://{self.address(number)}:{port}/"))
        return [hook["name"] for hook in listing["hooks"]]

    def told(self, unit: str) -> str:
        """What a unit says in Juju's status."""
        return ": ".join(self.model.statuses()[unit])

    def content(self, *apps: str) -> None:
        """No unit of the applications, or of any, is anything but active."""
        units = self.model.statuses().items()
        states = {unit: status for unit, status in units if not apps or unit.split("/")[0] in apps}
        wrong = {unit: status for unit, status in states.items() if status[0] != "active"}
        expect(not wrong, f"not active: {wrong}")

    def projects(self) -> dict[str, dict[str, Any]]:
        """The projects of the first machine, as its operator sees them."""
        said = json.loads(self.run("build-hook", "projects", "--json"))
        return {row["name"]: row for row in said["projects"]}

    def calm(self, *names: str) -> None:
        """Wait until no build is under way, of any project or of some: each one is watched."""

        def lasts() -> dict[str, str]:
            rows = self.projects().items()
            return {n: str(row["last_build"]) for n, row in rows if not names or n in names}

        wait_until(
            lambda: all(last.endswith(_ENDED) for last in lasts().values()),
            "builds do not end", lasts,
        )  # fmt: skip

    def containers(self, name: str) -> list[str]:
        """The containers of a project, running or not, newest first."""
        label = f"label=io.build-hook.project={name}"
        return self.run(
            "docker", "ps", "-a", "--filter", label, "--format={{.Names}}"
        ).split()  # fmt: skip

    def serving(self, name: str) -> str:
        """The container that carries a project; the newest, unless a build is under way."""
        found = self.containers(name)
        expect(bool(found), f"{name} has no container")
        return found[0]

    def environment(self, name: str) -> str:
        """The environment of the container that carries a project."""
        form = "--format={{json .Config.Env}}"
        return self.run("docker", "inspect", form, self.serving(name))

    def wait_for(self, ask: "visitor.Question", answer: str) -> float:
        """Wait until a project answers that; how long it took."""
        heard: list[str] = []

        def is_so() -> bool:
            try:
                heard.append(ask())
            except OSError as error:
                heard.append(repr(error))
            return heard[-1] == answer

        return wait_until(is_so, f"nobody answers {answer!r}", lambda: heard[-1])

    def wait_for_environment(self, name: str, variable: str) -> float:
        """Wait until a variable has reached a project's newest container."""
        return wait_until(
            lambda: variable in self.environment(name), f"{variable} does not come",
            lambda: (self.environment(name), self.projects()[name]),
        )  # fmt: skip

    # --- what they do

    def configure(self, app: str, **options: Any) -> None:
        """Set options, and let the consequences settle."""
        self.model.configure(app, **options)
        self.model.settle()

    def act(self, action: str, unit: str = f"{HOOK}/0", **parameters: object) -> dict[str, Any]:
        """Run an action, by default of the build hook, and let its consequences settle."""
        task = self.model.run(unit, action, **parameters)
        expect(task.failure is None, f"{unit} {action}: {task.failure}; {task.results}")
        self.model.settle()
        return task.results

    def webhook(self, name: str, unit: str = f"{HOOK}/0") -> dict[str, str]:
        """What the operator enters at the git host."""
        return self.act("get-webhook", unit, project=name, reveal=True)

    def deliver(self, name: str, version: str, secret: str) -> int:
        """Push a version and deliver it, signed; the status of the answer."""
        return self.deliver_to("0", name, self.git.push(name, version), secret)

    def deliver_to(self, number: str, name: str, body: bytes, secret: str) -> int:
        """Deliver something to the build hook of a machine."""
        url = f"http://{self.address(number)}:8080/hooks/{name}"
        return visitor.deliver(url, body, secret)

    def push(self, name: str, version: str) -> str:
        """Push a version, and deliver what a git host would; its commit."""
        webhook = self.webhook(name)
        body = self.git.push(name, version)
        status = visitor.deliver(webhook["url"], body, webhook["secret"])
        expect(status == 202, f"the delivery was answered {status}")
        return json.loads(body)["after"]

    def visits(self) -> visitor.Load:
        """Requests to the first project, one after the other."""
        return visitor.visits(f"http://{self.address()}:9000/")

    def deliveries(self, secrets: list[str]) -> visitor.Load:
        """Signed deliveries that ask for nothing, with the last of the secrets at that moment."""
        url, body = f"http://{self.address()}:8080/hooks/{SELFOSS}", self.git.elsewhere(SELFOSS)

        def ask() -> None:
            status = visitor.deliver(url, body, secrets[-1])
            if status >= 400:
                raise OSError(f"a delivery was answered {status}")

        return visitor.Load("deliveries", ask, pause=0.1)


def packed(charm: str) -> pathlib.Path:
    """A packed charm."""
    return ROOT / "dist" / f"{charm}_{pack.architecture()}.charm"


def nobody_failed(*loads: visitor.Load) -> str:
    """Refuse failures; what the loads were."""
    for load in loads:
        expect(not load.failures, f"{len(load.failures)} of {load}: {load.failures[:3]}")
        expect(load.requests > 0, f"there was no load: {load}")
    return f"{', '.join(map(str, loads))}; 0 failed"
