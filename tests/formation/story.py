"""The formation, from the bundle of the article to a removed build hook, on real machines.

``python -m tests.formation.story`` wants packed charms in dist/, root, and a Docker engine; it
prints what it proves, step by step with times, and ends with status 1 at the first thing that is
not so. `./dev formation` packs first.
"""

import contextlib
import functools
import json
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator

from tests.formation import containers, githost, hook_times, model, visitor
from tools import bundles, interpreter, pack

ROOT = pathlib.Path(__file__).parents[2]
NETWORK = "build-hook-formation"
SELFOSS, MUMBLE, HOOK = "docker-selfoss", "docker-mumble", "build-hook"
PATIENCE = 90
STOP_AFTER = int(os.environ.get("FORMATION_STEPS", "0"))  # for people who work on the first ones
WATCH = 2.0  # seconds; the default of 10 would make the story long


class UntrueError(Exception):
    """Something that the formation promises is not so."""


class Story:
    """The steps, in order; each one builds on those before."""

    def __init__(self, formation: model.Model, git: githost.GitHost, folder: pathlib.Path) -> None:
        self.model = formation
        self.git = git
        self.folder = folder

    def bundle_deploys(self) -> str:
        """The article's bundle deploys, and every unit is content."""
        bundle = bundles.load(ROOT / "bundles" / "bundle.yaml")
        for name, app in bundle["applications"].items():
            config = dict(app.get("options", {}))
            if "repository" in config:
                config["repository"] = self.git.create(name)
                config["watch"] = WATCH
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

    def outcome_is_told_at_once(self) -> str:
        """The end of a build is in Juju's status with no event but its own."""
        self.calm()
        self.model.settle()
        webhook = self.webhook(SELFOSS)
        body = self.git.push(SELFOSS, "told")
        serves = f"Serves {json.loads(body)['after'][:8]}"

        def is_told() -> bool:
            self.model.settle()
            return serves in self.model.statuses()[f"{SELFOSS}/0"][1]

        visitor.deliver(webhook["url"], body, webhook["secret"])
        taken = wait_until(is_told, f"nobody says {serves!r}")
        return f"{taken:.1f} s after the push, {WATCH:.0f} of them of watching"

    def config_takes_effect(self) -> str:
        """A changed option of a project reaches its container; the proxy runs on."""
        self.calm()
        proxy = self.pid("build-hook-proxy")
        with self.steady_load() as load:
            self.model.configure(SELFOSS, environment="MODE=staging")
            self.model.settle()
            taken = wait_until(lambda: "MODE=staging" in self.environment(SELFOSS), "MODE")
        expect(self.pid("build-hook-proxy") == proxy, "the proxy was restarted")
        expect(load.failed == 0, f"failed: {load.failures[:3]}")
        return f"{taken:.1f} s, {load.requests} requests, 0 failed"

    def wrong_config_changes_nothing(self) -> str:
        """Wrong config is named with its fix, and what runs goes on."""
        before = self.serving(SELFOSS)
        self.model.configure(SELFOSS, ports="80")
        self.model.configure(HOOK, concurrency=0)
        self.model.settle()
        states = self.model.statuses()
        for unit in (f"{SELFOSS}/0", f"{HOOK}/0"):
            expect(states[unit][0] == "blocked", f"{unit} is {states[unit]}")
            expect("Use: juju config" in states[unit][1], f"{unit} says {states[unit][1]}")
        expect(self.serving(SELFOSS) == before, "another container serves")
        self.model.configure(SELFOSS, ports="9000:80")
        self.model.configure(HOOK, concurrency=None)
        self.model.settle()
        self.content()
        return states[f"{SELFOSS}/0"][1]

    def rotation_refuses_nobody(self) -> str:
        """A rotated secret: the old and the new are accepted until the old one is dropped."""
        old = self.webhook(SELFOSS)["secret"]
        expect(self.deliver(SELFOSS, "three", old) == 202, "refused before the rotation")
        self.act("rotate-secret", project=SELFOSS)
        new = self.webhook(SELFOSS)["secret"]
        expect(new != old, "the secret is the same")
        answers = [self.deliver(SELFOSS, f"{n}", secret) for n, secret in ((4, old), (5, new))]
        expect(answers == [202, 202], f"answers during the rotation: {answers}")
        self.act("rotate-secret", project=SELFOSS, forget_previous=True)
        answers = [self.deliver(SELFOSS, f"{n}", secret) for n, secret in ((6, old), (7, new))]
        expect(answers == [401, 202], f"answers after the rotation: {answers}")
        self.wait_for(self.selfoss, "7")
        return "0 refused; the old one is refused once dropped"

    def refresh_fails_nobody(self) -> str:
        """A newer build hook charm takes over under load; the proxy is not even restarted."""
        proxy, web = self.pid("build-hook-proxy"), self.pid("build-hook-web")
        archive = newer_charm(self.folder)
        health = f"http://{self.address}:8080/healthz"
        with self.steady_load() as load, visitor.Load(health) as deliveries:
            self.model.refresh(HOOK, archive)
            self.model.settle()
            time.sleep(3)
        expect(self.pid("build-hook-web") != web, "web runs the old code")
        expect(self.pid("build-hook-proxy") == proxy, "the proxy was restarted")
        for each in (load, deliveries):
            expect(each.failed == 0, f"failed at {each.url}: {each.failures[:3]}")
        longest = max(load.longest, deliveries.longest)
        asked = f"{load.requests} + {deliveries.requests} requests"
        return f"{asked}, 0 failed, longest wait {longest:.1f} s"

    def every_event_again_changes_nothing(self) -> str:
        """Another update-status everywhere writes nothing."""
        self.calm()
        self.model.update_status()
        self.model.settle()
        before = self.fingerprint()
        self.model.update_status()
        hooks = self.model.settle()
        expect(hooks == len(self.model.statuses()), f"{hooks} hooks followed")
        expect(self.fingerprint() == before, "files were written")
        return f"{hooks} hooks, nothing followed"

    def actions_answer(self) -> str:
        """The actions do what they say, through the real command line."""
        self.calm()
        rows = json.loads(self.act("list-projects")["projects"])["projects"]
        expect([row["name"] for row in rows] == [MUMBLE, SELFOSS], f"listed: {rows}")
        built = self.act("deploy", project=SELFOSS, wait=True)["build"]
        log = self.act("logs", build=int(built))["log"]
        expect("COPY index.html" in log, f"the log of build {built}: {log}")
        back = self.act("rollback", project=SELFOSS, to=int(built) - 1, wait=True)["build"]
        listed = json.loads(self.act("builds", project=SELFOSS)["builds"])["builds"]
        expect([b["cause"] for b in listed[:2]] == ["rollback", "deploy"], f"builds: {listed[:2]}")
        findings = json.loads(self.act("diagnostics")["diagnostics"])["findings"]
        expect(all(finding["ok"] for finding in findings), f"diagnostics: {findings}")
        self.act("gc")
        body = self.git.push(MUMBLE, "explained").decode()
        headers = json.dumps({"X-GitHub-Event": "push", "Content-Type": "application/json"})
        said = json.loads(self.act("explain", headers=headers, body=body)["explanation"])
        expect(said["matches"][0]["project"] == MUMBLE, f"explained: {said}")
        return f"deployed as build {built}, rolled back as build {back}"

    def removed_relation_unregisters(self) -> str:
        """A removed relation unregisters its project, whose container goes."""
        self.calm()
        self.model.remove_relation(MUMBLE, HOOK)
        self.model.settle()
        listing = json.loads(visitor.get(f"http://{self.address}:8080/"))
        expect([hook["name"] for hook in listing["hooks"]] == [SELFOSS], f"{listing}")
        taken = wait_until(lambda: not self.containers(MUMBLE), "the container is still there")
        return f"{taken:.1f} s"

    def second_machine_serves(self) -> str:
        """A second Docker host gets a build hook of its own, and serves what is placed there."""
        self.model.add_unit("docker", "1")
        self.model.settle()
        self.model.add_unit(SELFOSS, "docker/1")
        self.model.settle()
        address = self.model.machines["1"].address
        taken = self.wait_for(lambda: visitor.get(f"http://{address}:9000/").strip(), "7")
        self.content(HOOK, SELFOSS)
        return f"{taken:.1f} s"

    def removed_unit_leaves_nothing(self) -> str:
        """With keep-data=false the build hook leaves nothing at all on its machine."""
        self.model.configure(HOOK, keep_data=False)
        self.model.remove_unit(f"{SELFOSS}/1")
        self.model.remove_unit("docker/1")
        machine = self.model.machines["1"]
        assert isinstance(machine, containers.Container)
        for left in ("/var/lib/build-hook", "/usr/local/bin/build-hook"):
            there = machine.run("sh", "-c", f"test ! -e {left} || echo there")
            expect(there == "", f"{left} is left")
        units = machine.run("sh", "-c", "ls /etc/systemd/system | grep build-hook || true")
        expect(units == "", f"left over: {units}")
        ours = "label=io.build-hook.instance"
        for listing in (("ps", "--all"), ("images",), ("network", "ls")):
            left = machine.run("docker", *listing, "--quiet", "--filter", ours)
            expect(left == "", f"docker {listing[0]}: {left}")
        self.model.configure(HOOK, keep_data=True)
        self.model.settle()
        return "no file, unit, container, image or network of ours"

    def removed_build_hook_leaves_its_data(self) -> str:
        """A removed build hook leaves its data, and nothing else of ours."""
        machine = self.machine
        self.model.remove_relation("docker", HOOK)
        units = machine.run("sh", "-c", "ls /etc/systemd/system | grep build-hook || true")
        expect(units == "", f"left over: {units}")
        expect("build_hook" not in machine.run("ps", "ax"), "a process runs on")
        expect("haproxy" not in machine.run("ps", "ax"), "the proxy runs on")
        expect(machine.run("ls", "/var/lib/build-hook/registry.json") != "", "the data is gone")
        expect(machine.run("docker", "ps", "--all", "--quiet") == "", "containers are left")
        return ""

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
            return all(row["last_build"].endswith(" live") for row in rows)

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
    Story.outcome_is_told_at_once,
    Story.config_takes_effect,
    Story.wrong_config_changes_nothing,
    Story.rotation_refuses_nobody,
    Story.refresh_fails_nobody,
    Story.every_event_again_changes_nothing,
    Story.actions_answer,
    Story.removed_relation_unregisters,
    Story.second_machine_serves,
    Story.removed_unit_leaves_nothing,
    Story.removed_build_hook_leaves_its_data,
)


def wait_until(is_so: Callable[[], bool], otherwise: str) -> float:
    """Wait for something; how long it took."""
    started = time.monotonic()
    while time.monotonic() - started < PATIENCE:
        if is_so():
            return time.monotonic() - started
        time.sleep(0.1)
    raise UntrueError(otherwise)


def newer_charm(folder: pathlib.Path) -> pathlib.Path:
    """The build hook charm with other code in it, as a later version would have."""
    newer = folder / "newer.charm"
    packed = ROOT / "dist" / f"docker-build-hook_{pack.architecture()}.charm"
    with zipfile.ZipFile(packed) as old, zipfile.ZipFile(newer, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename == "src/build_hook/__init__.py":
                content += b"\n# A later version.\n"
            new.writestr(entry, content)
    return newer


def expect(condition: bool, otherwise: str) -> None:
    """Refuse to go on if something is not so."""
    if not condition:
        raise UntrueError(otherwise)


def main() -> int:
    """Tell the story; 1 if a part of it is not true."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that machines are removed
    folder = pathlib.Path(tempfile.mkdtemp(prefix="formation-"))
    names: list[str] = []
    try:
        with contextlib.ExitStack() as stack:
            python = interpreter.wanted(pack.SHOP / "python") or interpreter.own()
            image = say("machine image", lambda: containers.ensure_image(folder, python))
            gateway = stack.enter_context(containers.network(NETWORK))
            git = stack.enter_context(githost.GitHost(folder / "git", gateway))

            def make(number: str, agent: pathlib.Path) -> containers.Container:
                names.append(f"{NETWORK}-{number}")
                machine = containers.start(number, names[-1], NETWORK, agent, image)
                if "--keep" not in sys.argv:
                    stack.callback(containers.docker, "rm", "--force", "--volumes", names[-1])
                return machine

            formation = model.Model(folder, make)
            stack.callback(formation.agent.close)
            story = Story(formation, git, folder)
            stack.callback(lambda: print(hook_times.table(formation.times)))
            for step in STEPS[: STOP_AFTER or None]:
                say(step.__doc__ or "", functools.partial(step, story))
    except (UntrueError, model.HookFailedError, RuntimeError) as error:
        print(f"NOT SO: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def say(what: str, step: Callable[[], str]) -> str:
    """Do one step and print what it was, how long it took and what came out."""
    started = time.monotonic()
    result = step()
    print(f"{time.monotonic() - started:6.1f} s  {what}  {result}", flush=True)
    return result


if __name__ == "__main__":
    sys.exit(main())
