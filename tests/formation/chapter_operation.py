"""What an operator does: every action of every charm, and a newer charm under load."""

import json
import pathlib
import time
import zipfile

from tests.formation import stage
from tests.formation.stage import DOCKER, HOOK, MUMBLE, SELFOSS, Stage


def builds_are_commanded(on: Stage) -> str:
    """Deploy, rollback, builds and logs do what they say, of the build hook and of a project."""
    on.calm(SELFOSS)
    rows = json.loads(on.act("list-projects")["projects"])["projects"]
    stage.expect({MUMBLE, SELFOSS} <= {row["name"] for row in rows}, f"listed: {rows}")
    built = int(on.act("deploy", project=SELFOSS, wait=True)["build"])
    log = on.act("logs", build=built)["log"]
    stage.expect("COPY index.html" in log, f"the log of build {built}: {log}")
    back = on.act("rollback", f"{SELFOSS}/0", wait=True)["build"]
    again = on.act("deploy", f"{SELFOSS}/0")["build"]
    on.act("rollback", project=SELFOSS, to=built, wait=True)
    listed = json.loads(on.act("builds", project=SELFOSS)["builds"])["builds"]
    causes = [build["cause"] for build in listed[:4]]
    stage.expect(causes == ["rollback", "deploy", "rollback", "deploy"], f"builds: {listed[:4]}")
    return f"deployed as builds {built} and {again}, rolled back as build {back}"


def pushes_wait_and_builds_are_cancelled(on: Stage) -> str:
    """What is pushed in a pause waits, can be cancelled, and goes on afterwards."""
    on.act("pause", project=SELFOSS, reason="a look")
    on.push(SELFOSS, "waits")
    waiting = on.projects()[SELFOSS]
    number, _, phase = str(waiting["last_build"]).partition(" ")
    stage.expect(phase == "queued" and waiting["held"], f"in a pause: {waiting}")
    on.act("cancel", build=int(number))
    on.act("resume", project=SELFOSS)
    last = f"{number} cancelled"
    stage.wait_until(
        lambda: on.projects()[SELFOSS]["last_build"] == last, "the build is not cancelled",
        lambda: on.projects()[SELFOSS],
    )  # fmt: skip
    on.push(SELFOSS, "goes on")
    on.wait_for(on.selfoss, "goes on")
    return last


def questions_are_answered(on: Stage) -> str:
    """The other actions answer, through the real command line and the real engine."""
    on.calm()
    findings = json.loads(on.act("diagnostics")["diagnostics"])["findings"]
    # The base's git has fixes under an old number, which diagnostics cannot know.
    wrong = [f for f in findings if not f["ok"] and f["subject"] != "git"]
    stage.expect(not wrong, f"diagnostics: {wrong}")
    on.act("gc")
    stage.expect(on.act("reconcile")["result"] == "done", "reconcile")
    token = on.act("create-token", name="formation", scope="read")["token"]
    stage.expect(len(token) > 20, f"the token {token!r}")
    body = on.git.elsewhere(MUMBLE).decode().replace("/elsewhere", "/master")
    headers = json.dumps({"X-GitHub-Event": "push", "Content-Type": "application/json"})
    said = json.loads(on.act("explain", headers=headers, body=body)["explanation"])
    stage.expect(said["matches"][0]["project"] == MUMBLE, f"explained: {said}")
    webhook = on.act("get-webhook", f"{SELFOSS}/0", reveal=True)["build-hook-0"]
    same = {key: on.webhook(SELFOSS)[key] for key in ("url", "secret")}
    stage.expect(same == {k: webhook[k] for k in same}, f"the project says {webhook}, not {same}")
    engine = json.loads(on.act("info", f"{DOCKER}/0")["info"])
    stage.expect(engine["ServerVersion"] != "", f"info: {engine}")
    stage.expect("Images" in on.act("df", f"{DOCKER}/0")["df"], "df")
    json.loads(on.act("prune", f"{DOCKER}/0")["removed"])
    return f"Docker {engine['ServerVersion']}"


def refresh_fails_nobody(on: Stage) -> str:
    """A newer build hook charm takes over under load; the proxy is not even restarted."""
    on.calm()
    proxy, web = on.pid("build-hook-proxy"), on.pid("build-hook-web")
    archive = _newer_charm(on.folder)
    secret = on.webhook(SELFOSS)["secret"]
    with on.visits() as visits, on.deliveries([secret]) as deliveries:
        on.model.refresh(HOOK, archive)
        on.model.settle()
        time.sleep(2)
    stage.wait_until(
        lambda: on.pid("build-hook-web") not in (web, "0"), "web still runs the old code"
    )
    stage.expect(on.pid("build-hook-proxy") == proxy, "the proxy was restarted")
    return stage.nobody_failed(visits, deliveries)


def _newer_charm(folder: pathlib.Path) -> pathlib.Path:
    """The build hook charm with other code in it, as a later version would have."""
    newer = folder / "newer.charm"
    with (
        zipfile.ZipFile(stage.packed("docker-build-hook")) as old,
        zipfile.ZipFile(newer, "w") as new,
    ):
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename == "src/build_hook/__init__.py":
                content += b"\n# A later version.\n"
            new.writestr(entry, content)
    return newer


STEPS = (
    builds_are_commanded,
    pushes_wait_and_builds_are_cancelled,
    questions_are_answered,
    refresh_fails_nobody,
)
