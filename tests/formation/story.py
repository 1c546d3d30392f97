"""The formation, from the bundle of the article to a removed build hook, on real machines.

``python -m tests.formation.story`` wants packed charms in dist/, root, and a Docker engine; it
prints what it proves, step by step with times, and ends with status 1 at the first thing that is
not so. `./dev formation` packs first.
"""

import contextlib
import json
import pathlib
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator

from tests.formation import containers, githost, model, visitor
from tools import bundles

ROOT = pathlib.Path(__file__).parents[2]
NETWORK = "build-hook-formation"
SELFOSS, MUMBLE, HOOK = "docker-selfoss", "docker-mumble", "build-hook"
PATIENCE = 90


class UntrueError(Exception):
    """Something that the formation promises is not so."""


class Story:
    """The steps, in order; each one builds on those before."""

    def __init__(self, formation: model.Model, git: githost.GitHost) -> None:
        self.model = formation
        self.git = git

    def bundle_deploys(self) -> str:
        """The article's bundle deploys, and every unit is content."""
        bundle = bundles.load(ROOT / "bundles" / "bundle.yaml")
        for name, app in bundle["applications"].items():
            config = dict(app.get("options", {}))
            if "repository" in config:
                config["repository"] = self.git.create(name)
            archive = (ROOT / "bundles" / app["charm"]).resolve()
            self.model.deploy(archive, name, config, tuple(app.get("to", ())))
        for one, other in bundle["relations"]:
            self.model.integrate(one, other)
        hooks = self.model.settle()
        self.content()
        return f"{hooks} hooks"

    def projects_are_listed(self) -> str:
        """Both projects are in the JSON on port 8080."""
        listing = json.loads(visitor.get(f"http://{self.address}:8080/"))
        names = [hook["name"] for hook in listing["hooks"]]
        expect(names == [MUMBLE, SELFOSS], f"listed: {names}")
        return ", ".join(names)

    def first_builds_serve(self) -> str:
        """What is at the heads of the repositories is built and serves."""
        taken = self.wait_for(self.selfoss, "one")
        self.wait_for(self.mumble, "one")
        return f"{taken:.1f} s"

    def push_cycles_the_container(self) -> str:
        """A push over HTTP rebuilds, and another container serves."""
        before = self.serving(SELFOSS)
        with self.steady_load() as load:
            self.push(SELFOSS, "two")
            taken = self.wait_for(self.selfoss, "two")
        after = self.serving(SELFOSS)
        expect(before != after, "the container is the same as before")
        expect(load.failed == 0, f"{load.failed} of {load.requests} requests failed")
        return f"{taken:.1f} s, {load.requests} requests, 0 failed"

    @property
    def address(self) -> str:
        """The first machine."""
        return self.model.machines["0"].address

    def selfoss(self) -> str:
        """What the first project answers."""
        return visitor.get(f"http://{self.address}:9000/").strip()

    def mumble(self) -> str:
        """What the second project answers, over TCP."""
        return visitor.read(self.address, 64738).strip()

    def content(self) -> None:
        """No unit is anything but active."""
        states = self.model.statuses()
        expect({state for state, _ in states.values()} == {"active"}, f"{states}")

    def push(self, name: str, version: str) -> None:
        """Push a version, and deliver what a git host would."""
        body = self.git.push(name, version)
        webhook = self.model.run(f"{HOOK}/0", "get-webhook", project=name, reveal=True).results
        status = visitor.deliver(webhook["url"], body, webhook["secret"])
        expect(status == 202, f"the delivery was answered {status}")

    def serving(self, name: str) -> str:
        """The container that carries a project."""
        machine = self.model.machines["0"]
        assert isinstance(machine, containers.Container)
        label = f"label=io.build-hook.project={name}"
        listed = machine.run("docker", "ps", "--filter", label, "--format", "{{.Names}}")
        return listed.split()[0]

    def wait_for(self, ask: "visitor.Question", answer: str) -> float:
        """Wait until a project answers that; how long it took."""
        started, last = time.monotonic(), ""
        while time.monotonic() - started < PATIENCE:
            with contextlib.suppress(OSError):
                last = ask()
                if last == answer:
                    return time.monotonic() - started
            time.sleep(0.1)
        raise UntrueError(f"waited for {answer!r}, got {last!r}")

    @contextlib.contextmanager
    def steady_load(self) -> Iterator[visitor.Load]:
        """Requests to the first project, one after the other, all the while."""
        with visitor.Load(f"http://{self.address}:9000/") as load:
            yield load


STEPS = (
    Story.bundle_deploys,
    Story.projects_are_listed,
    Story.first_builds_serve,
    Story.push_cycles_the_container,
)


def expect(condition: bool, otherwise: str) -> None:
    """Refuse to go on if something is not so."""
    if not condition:
        raise UntrueError(otherwise)


def main() -> int:
    """Tell the story; 1 if a part of it is not true."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="formation-"))
    names: list[str] = []
    try:
        with contextlib.ExitStack() as stack:
            say("machine image", lambda: containers.ensure_image(folder))
            gateway = stack.enter_context(containers.network(NETWORK))
            git = stack.enter_context(githost.GitHost(folder / "git", gateway))

            def make(number: str, agent: pathlib.Path) -> containers.Container:
                names.append(f"{NETWORK}-{number}")
                machine = containers.start(number, names[-1], NETWORK, agent)
                if "--keep" not in sys.argv:
                    stack.callback(containers.docker, "rm", "--force", "--volumes", names[-1])
                return machine

            formation = model.Model(folder, make)
            stack.callback(formation.agent.close)
            story = Story(formation, git)
            for step in STEPS:
                say(step.__doc__ or "", lambda step=step: step(story))
    except (UntrueError, model.HookFailedError, RuntimeError) as error:
        print(f"NOT SO: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def say(what: str, step: "object") -> None:
    """Do one step and print what it was, how long it took and what came out."""
    started = time.monotonic()
    result = step()  # pyright: ignore[reportCallIssue]
    print(f"{time.monotonic() - started:6.1f} s  {what}  {result or ''}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
