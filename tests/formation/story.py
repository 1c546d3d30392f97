"""The formation, from the bundle of the article to a removed build hook, on real machines.

``python -m tests.formation.story`` wants packed charms in dist/, root, and a Docker engine; it
prints what it proves, step by step with times, and ends with status 1 at the first thing that is
not so. `./dev formation` packs first.
"""

import contextlib
import fcntl
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

from tests.formation import (
    containers,
    githost,
    hook_times,
    machine_image,
    model,
    stage,
    visitor,
)
from tests.formation.stage import HOOK, MUMBLE, SELFOSS
from tools import bundles, interpreter, pack

ROOT = pathlib.Path(__file__).parents[2]
NETWORK = "build-hook-formation"
STOP_AFTER = int(os.environ.get("FORMATION_STEPS", "0"))  # for people who work on the first ones
WATCH = 2.0  # seconds; the default of 10 would make the story long
QUICK = {"watch": WATCH, "stop-grace-period": 1.0}  # what is built does not listen to SIGTERM


class Story(stage.Stage):
    """The steps, in order; each one builds on those before."""

    def bundle_deploys(self) -> str:
        """The article's bundle deploys, and every unit is content."""
        bundle = bundles.load(ROOT / "bundles" / "bundle.yaml")
        for name, app in bundle["applications"].items():
            config = dict(app.get("options", {}))
            if "repository" in config:
                config["repository"] = self.git.create(name)
                config |= QUICK
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
        stage.expect(names == [MUMBLE, SELFOSS], f"listed: {names}")
        return ", ".join(names)

    def first_builds_serve(self) -> str:
        """What is at the heads of the repositories is built and serves."""
        taken = self.wait_for(self.selfoss, "one")
        self.wait_for(self.mumble, "one")
        return f"{taken:.1f} s"

    def push_cycles_the_container(self) -> str:
        """A push over HTTP rebuilds, and another container serves."""
        before = self.serving(SELFOSS)
        with self.visits() as visits:
            self.push(SELFOSS, "two")
            taken = self.wait_for(self.selfoss, "two")
        after = self.serving(SELFOSS)
        stage.expect(before != after, "the container is the same as before")
        return f"{taken:.1f} s; {stage.nobody_failed(visits)}"

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
        taken = stage.wait_until(is_told, f"nobody says {serves!r}")
        return f"{taken:.1f} s after the push, {WATCH:.0f} of them of watching"

    def config_takes_effect(self) -> str:
        """A changed option of a project reaches its container; the proxy runs on."""
        self.calm()
        proxy = self.pid("build-hook-proxy")
        with self.visits() as visits:
            self.model.configure(SELFOSS, environment="MODE=staging")
            self.model.settle()
            taken = stage.wait_until(lambda: "MODE=staging" in self.environment(SELFOSS), "MODE")
        stage.expect(self.pid("build-hook-proxy") == proxy, "the proxy was restarted")
        return f"{taken:.1f} s; {stage.nobody_failed(visits)}"

    def wrong_config_changes_nothing(self) -> str:
        """Wrong config is named with its fix, and what runs goes on."""
        before = self.serving(SELFOSS)
        self.model.configure(SELFOSS, ports="80")
        self.model.configure(HOOK, concurrency=0)
        self.model.settle()
        states = self.model.statuses()
        for unit in (f"{SELFOSS}/0", f"{HOOK}/0"):
            stage.expect(states[unit][0] == "blocked", f"{unit} is {states[unit]}")
            stage.expect("Use: juju config" in states[unit][1], f"{unit} says {states[unit][1]}")
        stage.expect(self.serving(SELFOSS) == before, "another container serves")
        self.model.configure(SELFOSS, ports="9000:80")
        self.model.configure(HOOK, concurrency=None)
        self.model.settle()
        self.content()
        return states[f"{SELFOSS}/0"][1]

    def rotation_refuses_nobody(self) -> str:
        """A rotated secret: the old and the new are accepted until the old one is dropped."""
        old = self.webhook(SELFOSS)["secret"]
        secrets = [old]
        with self.deliveries(secrets) as deliveries:
            stage.expect(self.deliver(SELFOSS, "three", old) == 202, "refused beforehand")
            self.act("rotate-secret", project=SELFOSS)
            secrets.append(new := self.webhook(SELFOSS)["secret"])
            stage.expect(new != old, "the secret is the same")
            answers = [self.deliver(SELFOSS, f"{n}", key) for n, key in ((4, old), (5, new))]
            stage.expect(answers == [202, 202], f"answers during the rotation: {answers}")
            self.act("rotate-secret", project=SELFOSS, forget_previous=True)
        answers = [self.deliver(SELFOSS, f"{n}", key) for n, key in ((6, old), (7, new))]
        stage.expect(answers == [401, 202], f"answers after the rotation: {answers}")
        self.wait_for(self.selfoss, "7")
        return f"{stage.nobody_failed(deliveries)}; the old one is refused once dropped"

    def refresh_fails_nobody(self) -> str:
        """A newer build hook charm takes over under load; the proxy is not even restarted."""
        self.calm()
        proxy, web = self.pid("build-hook-proxy"), self.pid("build-hook-web")
        archive = newer_charm(self.folder)
        secret = self.webhook(SELFOSS)["secret"]
        with self.visits() as visits, self.deliveries([secret]) as deliveries:
            self.model.refresh(HOOK, archive)
            self.model.settle()
            time.sleep(2)
        stage.expect(self.pid("build-hook-web") != web, "web runs the old code")
        stage.expect(self.pid("build-hook-proxy") == proxy, "the proxy was restarted")
        return stage.nobody_failed(visits, deliveries)

    def every_event_again_changes_nothing(self) -> str:
        """Another update-status everywhere writes nothing."""
        self.calm()
        self.model.update_status()
        self.model.settle()
        before = self.fingerprint()
        self.model.update_status()
        hooks = self.model.settle()
        stage.expect(hooks == len(self.model.statuses()), f"{hooks} hooks followed")
        stage.expect(self.fingerprint() == before, "files were written")
        return f"{hooks} hooks, nothing followed"

    def actions_answer(self) -> str:
        """The actions do what they say, through the real command line."""
        self.calm()
        rows = json.loads(self.act("list-projects")["projects"])["projects"]
        stage.expect([row["name"] for row in rows] == [MUMBLE, SELFOSS], f"listed: {rows}")
        built = self.act("deploy", project=SELFOSS, wait=True)["build"]
        log = self.act("logs", build=int(built))["log"]
        stage.expect("COPY index.html" in log, f"the log of build {built}: {log}")
        back = self.act("rollback", project=SELFOSS, to=int(built) - 1, wait=True)["build"]
        listed = json.loads(self.act("builds", project=SELFOSS)["builds"])["builds"]
        stage.expect(
            [b["cause"] for b in listed[:2]] == ["rollback", "deploy"], f"builds: {listed[:2]}"
        )
        findings = json.loads(self.act("diagnostics")["diagnostics"])["findings"]
        # The base's git has fixes under an old number, which diagnostics cannot know.
        wrong = [f for f in findings if not f["ok"] and f["subject"] != "git"]
        stage.expect(not wrong, f"diagnostics: {wrong}")
        self.act("gc")
        body = self.git.push(MUMBLE, "explained").decode()
        headers = json.dumps({"X-GitHub-Event": "push", "Content-Type": "application/json"})
        said = json.loads(self.act("explain", headers=headers, body=body)["explanation"])
        stage.expect(said["matches"][0]["project"] == MUMBLE, f"explained: {said}")
        return f"deployed as build {built}, rolled back as build {back}"

    def removed_relation_unregisters(self) -> str:
        """A removed relation unregisters its project, whose container goes."""
        self.calm()
        self.model.remove_relation(MUMBLE, HOOK)
        self.model.settle()
        listing = json.loads(visitor.get(f"http://{self.address}:8080/"))
        stage.expect([hook["name"] for hook in listing["hooks"]] == [SELFOSS], f"{listing}")
        taken = stage.wait_until(
            lambda: not self.containers(MUMBLE), "the container is still there"
        )
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
            stage.expect(there == "", f"{left} is left")
        units = machine.run("sh", "-c", "ls /etc/systemd/system | grep build-hook || true")
        stage.expect(units == "", f"left over: {units}")
        ours = "label=io.build-hook.instance"
        for listing in (("ps", "--all"), ("images",), ("network", "ls")):
            left = machine.run("docker", *listing, "--quiet", "--filter", ours)
            stage.expect(left == "", f"docker {listing[0]}: {left}")
        self.model.configure(HOOK, keep_data=True)
        self.model.settle()
        return "no file, unit, container, image or network of ours"

    def removed_build_hook_leaves_its_data(self) -> str:
        """A removed build hook leaves its data, and nothing else of ours."""
        machine = self.machine
        self.model.remove_relation("docker", HOOK)
        units = machine.run("sh", "-c", "ls /etc/systemd/system | grep build-hook || true")
        stage.expect(units == "", f"left over: {units}")
        stage.expect("build_hook" not in machine.run("ps", "ax"), "a process runs on")
        stage.expect("haproxy" not in machine.run("ps", "ax"), "the proxy runs on")
        stage.expect(
            machine.run("ls", "/var/lib/build-hook/build-hook.db") != "", "the data is gone"
        )
        stage.expect(machine.run("docker", "ps", "--all", "--quiet") == "", "containers are left")
        return ""


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


def main() -> int:
    """Tell the story; 1 if a part of it is not true."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that machines are removed
    folder = pathlib.Path(tempfile.mkdtemp(prefix="formation-"))
    names: list[str] = []
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(turn())
            python = interpreter.wanted(pack.SHOP / "python") or interpreter.own()
            image = say("machine image", lambda: machine_image.ensure(folder, python))
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
            stack.callback(lambda: print(hook_times.report(formation.times)))
            for step in STEPS[: STOP_AFTER or None]:
                say(step.__doc__ or "", functools.partial(step, story))
    except (stage.UntrueError, model.HookFailedError, RuntimeError) as error:
        print(f"NOT SO: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


@contextlib.contextmanager
def turn() -> Iterator[None]:
    """One formation at a time: each begins with the removal of what another one left."""
    path = pathlib.Path(tempfile.gettempdir(), f"{NETWORK}.lock")
    with path.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def say(what: str, step: Callable[[], str]) -> str:
    """Do one step and print what it was, how long it took and what came out."""
    started = time.monotonic()
    result = step()
    print(f"{time.monotonic() - started:6.1f} s  {what}  {result}", flush=True)
    return result


if __name__ == "__main__":
    sys.exit(main())
