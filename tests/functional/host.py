"""A Docker host for tests: real git server, real ``build-hook serve``, projects to push to."""

import contextlib
import dataclasses
import http.client
import json
import os
import pathlib
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any, TypeVar

from build_hook import project, registry, secret_files, settings
from build_hook.demo import baseimage, delivery, git, gitserver, leftovers, product, workcopy
from build_hook.deploy import containers, engine, images
from build_hook.proxy import kernel
from build_hook.store import builds

T = TypeVar("T")
PATIENCE = 40.0
WEB_LOOKS = 0.2  # seconds between two looks of a process of web at the registry
# What keeps a deploy short; a test of one of these gives another value.
QUICK: dict[str, Any] = {
    "health": {"min_uptime": 0.1, "timeout": 15},
    "stop_grace_period": 1,
    "drain": 4,
    "watch": 0.3,
}
APPS = {"http": "web", "tcp": "echo"}
TARGETS = {"http": 8000, "tcp": 7000}
# An application that speaks everything, for what the demo's shell scripts cannot do.
PYTHON = (os.path.realpath(sys.executable), "-S")
EVERY = pathlib.Path(__file__).parents[1] / "apps" / "every"


def wait_for(look: Callable[[], T | None], what: str, seconds: float = PATIENCE) -> T:
    """Poll until ``look`` finds something."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.05)
    return found


@dataclasses.dataclass(slots=True)
class Project:
    """A registered project, its repository and a developer's copy."""

    host: "Host"
    name: str
    protocol: str
    port: int
    copy: workcopy.WorkCopy
    pushes: int = 0

    @property
    def url(self) -> str:
        return f"{self.protocol}://127.0.0.1:{self.port}"

    def read(self, name: str) -> str | None:
        """A file of the developer's copy; None if it is not there, or a link."""
        path = self.copy.folder / name.replace("__", ".")
        return path.read_text(encoding="utf-8") if path.is_file() else None

    def push(self, **files: str | None) -> str:
        """Commit a new version, with other files where given (None removes one), and push it.

        In names ``__`` stands for a dot.
        """
        self.pushes += 1
        self.copy.write("version.txt", f"{self.name}-{self.pushes}\n")
        for name, text in files.items():
            path = self.copy.folder / name.replace("__", ".")
            path.unlink(missing_ok=True)
            if text is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
        commit = self.copy.commit(f"Version {self.pushes}")
        self.copy.push()
        return commit

    @property
    def head(self) -> str:
        """The newest commit."""
        return git.run("rev-parse", "HEAD", folder=self.copy.folder)

    @property
    def version(self) -> str:
        """What the newest commit answers."""
        return f"{self.name}-{self.pushes}"

    def build_of(self, commit: str) -> builds.Build | None:
        return next((b for b in self.history() if b.commit == commit), None)

    def history(self) -> list[builds.Build]:
        return self.host.store.recent(self.name, 100)

    def ended(self, commit: str, seconds: float = PATIENCE) -> builds.Build:
        """The newest build of a commit, once it has ended."""

        def look() -> builds.Build | None:
            self.host.product.check()
            found = self.build_of(commit)
            return found if found and found.phase.is_end else None

        try:
            return wait_for(look, f"the end of {commit[:7]}", seconds)
        except AssertionError as error:
            known = [f"{b.id} {(b.commit or '')[:7]} {b.phase}" for b in self.history()]
            words = self.host.product.last_words()
            raise AssertionError(f"{error}; builds: {known}. {words}") from None

    def deploy(self, seconds: float = PATIENCE, /, **files: str | None) -> builds.Build:
        """Push, and wait for the end of the deploy."""
        return self.ended(self.push(**files), seconds)

    def fails(self) -> builds.Build:
        """Ask for a deploy that cannot succeed; how it ended.

        A change of the registry makes the worker look by itself: its build may come first.
        """
        asked = self.host.run("deploy", self.name, "--wait", code=1)["id"]

        def look() -> builds.Build | None:
            failed = (b for b in self.history() if b.phase is builds.Phase.FAILED)
            return next((b for b in failed if b.id >= asked), None)

        return wait_for(look, "a build that failed")

    def settle(self) -> None:
        """Have the newest commit live, with nothing under way."""
        self.host.run("deploy", self.name)

        def look() -> bool:
            serving = self.host.store.serving()[self.name]
            is_newest = self.host.store.get(serving.build).commit == self.head
            return is_newest and all(b.phase.is_end for b in self.history())

        wait_for(look, f"{self.name} to settle")

    def live(self, seconds: float = PATIENCE, /, **files: str | None) -> builds.Build:
        """Push what has to go live; the build that brought it, by delivery or by looking."""
        build = self.deploy(seconds, **files)
        if build.phase is builds.Phase.SKIPPED:
            live = (b for b in self.history() if b.phase is builds.Phase.LIVE)
            build = next((b for b in live if b.commit == build.commit), build)
        assert build.phase is builds.Phase.LIVE, f"{build.phase}: {build.reason}"
        return build

    def until(self, phase: builds.Phase, commit: str | None = None) -> builds.Build:
        """Wait until the newest build (of a commit) has entered a phase."""

        def look() -> builds.Build | None:
            found = self.build_of(commit) if commit else next(iter(self.history()), None)
            known = [p for p, _ in self.host.store.phases(found.id)] if found else []
            return found if phase in known else None

        return wait_for(look, phase)

    def watched(self, seconds: float) -> None:
        """Have every version from now on watched that long; the good ones before need not be."""
        entry = self.host.entry(self.name)
        self.host.replace(entry.model_copy(update={"watch": seconds}))

    def boxes(self) -> list[containers.Container]:
        return self.host.containers.all(self.name)

    def serving(self) -> containers.Container:
        """The container that the store says serves."""
        found = self.host.containers.of_build(
            self.name, self.host.store.serving()[self.name].build
        )
        assert found is not None
        return found

    def get(self, path: str = "/") -> str:
        """One GET on the published port; the body, which must come with 200."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read().decode()
            assert answer.status == 200, f"{answer.status} {body}"
            return body.strip()

    def answers(self) -> bool:
        """Whether a GET is answered with 200."""
        with contextlib.suppress(OSError, AssertionError, http.client.HTTPException):
            return bool(self.get())
        return False

    def shown(self) -> dict[str, Any]:
        """The project's row of ``projects --json``."""
        rows = self.host.run("projects")["projects"]
        return next(row for row in rows if row["name"] == self.name)

    def log(self, build: builds.Build) -> str:
        return "\n".join(self.host.run("logs", str(build.id))["log"])


class Host:
    """One state folder, served."""

    def __init__(self, folder: pathlib.Path, base: str, knobs: Mapping[str, object]) -> None:
        self.folder = folder
        self.base = base
        state = folder / "state"
        state.mkdir()
        lines = (f"{name} = {json.dumps(value)}\n" for name, value in knobs.items())
        (state / "settings.toml").write_text("".join(lines), encoding="utf-8")
        self.environ = {
            f"{settings.PREFIX}{name}": value
            for name, value in {
                "LISTEN": "127.0.0.1",
                "PORT": str(product.free_port()),
                **({} if "publish_address" in knobs else {"PUBLISH_ADDRESS": "127.0.0.1"}),
            }.items()
        }
        self.reload()
        self.engine = engine.Engine(self.settings.docker_host, self.settings.instance)
        self.containers = containers.Containers(self.engine, self.settings)
        self.images = images.Images(self.engine)
        self.apps = baseimage.APPS
        self.product = product.Product(self.settings, folder / "serve.log")
        self.webhook = delivery.Webhook({})
        (folder / "git").mkdir()
        self.forge = gitserver.GitServer(folder / "git", lambda moved: self.fire(moved))

    def reload(self) -> None:
        """Make the state folder what it has to be, and open it."""
        self.settings = settings.load(self.folder / "state", self.environ)
        self.store = builds.Builds(self.settings.database)

    def fire(self, moved: gitserver.Moved) -> None:
        """What happens after a push; a test may put something else in its place."""
        self.webhook.fire(moved)

    def add(
        self, name: str, protocol: str = "http", files: Mapping[str, str] | None = None, **of: Any
    ) -> Project:
        """Make a repository and register it, with the quick settings where none are given."""
        assert not (self.folder / name).exists(), f"{name} is the name of another test's project"
        url = self.forge.create(name)
        key = secrets.token_hex(16).encode()
        secret_files.create(self.settings.secrets, name, key)
        self.webhook.secrets[name] = key
        copy = workcopy.WorkCopy(self.folder / name, url, self.forge.authorization)
        copy.fill(baseimage.APPS / APPS[protocol])
        for file, text in (files or {}).items():
            copy.write(file, text)
        port = of.pop("port", None) or product.free_port()
        made = Project(self, name, protocol, port, copy)
        self.register(made, repository=url, **of)
        return made

    def register(self, made: Project, **of: Any) -> None:
        """Put a project into the registry, or change it there."""
        known = registry.load(self.settings.registry)
        before = known.find(made.name)
        default: dict[str, Any] = {
            "name": made.name,
            "webhook_secrets": [made.name],
            "ports": [
                {
                    "target": TARGETS[made.protocol],
                    "published": made.port,
                    "app_protocol": made.protocol,
                }
            ],
            **QUICK,
        }
        values = before.model_dump() if before else default
        values |= {k: v for k, v in of.items() if k not in ("build", "health")}
        values["health"] = {**values.get("health", {}), **of.get("health", {})}
        values["build"] = {
            "args": {"BASE": self.base},
            **values.get("build", {}),
            **of.get("build", {}),
        }
        values["build"]["args"] = {"BASE": self.base, **values["build"]["args"]}
        self.replace(project.Project.model_validate(values))

    def entry(self, name: str) -> project.Project:
        found = registry.load(self.settings.registry).find(name)
        assert found is not None
        return found

    def replace(self, new: project.Project) -> None:
        """Put a project into the registry as it is."""
        known = registry.load(self.settings.registry).projects
        others = (p for p in known if p.name != new.name)
        registry.save(self.settings.registry, registry.Registry(projects=(*others, new)))
        self.settle()

    def unregister(self, name: str) -> None:
        known = registry.load(self.settings.registry)
        kept = tuple(p for p in known.projects if p.name != name)
        registry.save(self.settings.registry, registry.Registry(projects=kept))

    def empty(self) -> None:
        """Have all projects leave."""
        registry.save(self.settings.registry, registry.Registry())
        wait_for(lambda: not self.containers.roll_call(), "the projects to leave", 60)

    def settle(self) -> None:
        """Wait until web knows every project of the registry."""
        names = {p.name for p in registry.load(self.settings.registry).active}
        wait_for(lambda: names <= self._listed(), "web to know the registry", 10)
        time.sleep(2 * WEB_LOOKS)  # each process of web looks by itself

    def run(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """A command of ``build-hook``, with ``--json``."""
        done = subprocess.run(
            [sys.executable, "-m", "build_hook", "--state", str(self.settings.state),
             *arguments, "--json"],
            env={**os.environ, **self.environ},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout) if done.stdout else {"error": done.stderr}

    def pid(self, name: str) -> int:
        """The main process of proxy, worker or web."""
        return int((self.settings.run / f"{name}.pid").read_text(encoding="ascii"))

    def kill(self, name: str, *, group: bool = True, number: int = signal.SIGKILL) -> int:
        """Kill one of the three processes, alone or with its children; the pid that died."""
        pid = self.pid(name)
        (os.killpg if group else os.kill)(pid, number)
        return pid

    def replaced(self, name: str, dead: int, seconds: float = 10) -> None:
        """Wait until a killed process runs again under another pid."""
        file = self.settings.run / f"{name}.pid"
        wait_for(
            lambda: file.exists() and file.read_text().strip() not in ("", str(dead)),
            f"another {name}",
            seconds,
        )

    def restart(self, name: str) -> None:
        """Kill a process and wait for its successor to be at work."""
        said = self.log().count("worker: ready")
        self.replaced(name, self.kill(name))
        if name == "worker":
            wait_for(lambda: self.log().count("worker: ready") > said, "the worker", 20)

    def log(self) -> str:
        """What the three processes said."""
        return (self.folder / "serve.log").read_text(encoding="utf-8", errors="replace")

    def until(self, look: Callable[[], T | None], what: str, seconds: float = 15) -> T:
        return wait_for(look, what, seconds)

    def is_healthy(self) -> bool:
        """Whether web would take a delivery now."""
        connection = http.client.HTTPConnection("127.0.0.1", self.settings.port, timeout=2)
        with contextlib.closing(connection), contextlib.suppress(OSError):
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        return False

    def problem(self, name: str) -> str:
        """Wait for the worker to say what is wrong with ``registry`` or ``engine``."""
        return wait_for(lambda: self.run("projects")[f"{name}_problem"], f"a {name} problem")

    def _listed(self) -> set[str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.settings.port, timeout=5)
        with contextlib.closing(connection), contextlib.suppress(OSError):
            connection.request("GET", "/")
            return {hook["name"] for hook in json.loads(connection.getresponse().read())["hooks"]}
        return set()


@contextlib.contextmanager
def folder() -> Generator[pathlib.Path]:
    """A folder with a path short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="bh-", dir="/tmp", ignore_cleanup_errors=True) as name:
        yield pathlib.Path(name)


@contextlib.contextmanager
def small_disk(folder: pathlib.Path, megabytes: int) -> Generator[None]:
    """A disk of so many MiB, mounted there."""
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], check=True
    )
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)


@contextlib.contextmanager
def serving(base: str, start: bool = True, **knobs: object) -> Generator[Host]:
    """A host that serves, until the end; nothing of it is left."""
    with contextlib.ExitStack() as stack:
        made = Host(stack.enter_context(folder()), base, knobs)
        stack.callback(made.store.close)
        stack.callback(leftovers.remove, made.engine)
        stack.callback(kernel.Kernel(made.settings).withdraw)  # what the kernel keeps, too
        stack.enter_context(made.forge)
        made.webhook.origin = made.forge.address
        made.webhook.target = made.product.url
        if start:
            stack.enter_context(made.product)
            made.product.wait_until_ready()
            wait_for(lambda: "worker: ready" in made.log(), "the worker", 20)
        yield made


@contextlib.contextmanager
def base_image(docker_host: str = "unix:///var/run/docker.sock") -> Generator[str]:
    """The image below the applications, for as long as the block runs."""
    with folder() as place:
        docker = engine.Engine(docker_host, f"tests-{secrets.token_hex(4)}")
        try:
            yield baseimage.build(docker, place / "base")
        finally:
            leftovers.remove(docker)


def lent_python() -> list[str]:
    """The volumes that lend a container this machine's Python."""
    lent = {"/usr", "/lib", "/lib64", str(pathlib.Path(sys.base_prefix).resolve())}
    return sorted(f"{folder}:{folder}:ro" for folder in lent if pathlib.Path(folder).exists())


def everything(host: Host, name: str, **of: Any) -> Project:
    """A project that speaks HTTP, WebSocket, TCP and UDP; ``ports`` says what is published of it.

    It runs on this machine's Python, lent to the container: no image has to be pulled.
    """
    given = {
        "command": [*PYTHON, "/app.py"],
        "volumes": lent_python(),
        "files": {file.name: file.read_text("utf-8") for file in EVERY.iterdir()},
    }
    return host.add(name, **{**given, **of})


def port(published: int, target: int, kind: str) -> dict[str, Any]:
    """A published port of ``http``, ``tcp`` or ``udp``."""
    way = {"protocol": "udp"} if kind == "udp" else {"app_protocol": kind}
    return {"published": published, "target": target, **way}


def plain_project(name: str, **of: Any) -> project.Project:
    """A project as a value, whose container only sleeps."""
    given = {
        "name": name,
        "repository": "https://git.invalid/x.git",
        "command": ["/bin/sleep", "600"],
    }
    return project.Project.model_validate({**given, **of})


def names(found: Iterable[containers.Container]) -> list[tuple[int, str]]:
    """Builds of containers and their states, for comparison."""
    return sorted((c.build, c.status) for c in found)
