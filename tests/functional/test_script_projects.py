"""Repositories with scripts of their own, run unmodified as in 2015."""

import os
import pathlib
import shlex
import socket
import subprocess
import time
import uuid
from typing import Any

import pytest

from build_hook import labels
from build_hook.demo import traffic
from build_hook.demo import workcopy as copies
from build_hook.store import builds
from tests import datagrams
from tests.functional import host as hosts

PHASE = builds.Phase
BUILD = """#!/bin/sh
cd "$(dirname "$0")"
DIR=$(pwd)
git pull origin master
{helper} -r "$DIR" -t {tag} -s "$DIR/start.sh" -v &
"""
START = """#!/bin/sh
docker run -d -p {port}:8000 -v {data}:/data --restart=on-failure:10 {tag}
"""
DOCKERFILE = """FROM {base}
COPY serve.sh /
COPY version.txt /www/index.html
CMD ["/bin/sh", "/serve.sh"]
"""
BY_HAND = """#!/bin/sh
set -e
docker build -t {tag} .
docker rm -f {tag} || true
docker run --rm {tag} cat /www/index.html
docker run --name {tag} {options} -d -e GREETING -p {port}:8000 {tag}
docker exec {tag} cat /www/index.html
"""


@pytest.fixture(scope="module")
def old(base, tmp_path_factory):
    """A host whose helper stands where 2015 put it."""
    helper = tmp_path_factory.mktemp("home") / "hooked" / "build-hook.py"
    with hosts.serving(
        base, reconcile_interval=3600, min_free_mb=10, concurrency=4, script_helper=str(helper)
    ) as made:
        yield made


def add(host, name, port, *, build: str, start="", tag=None, **of):
    """A project shaped like docker-selfoss, whose branch is master."""
    tag = tag or f"{name}-{host.settings.instance}"
    words = {
        "helper": host.settings.script_helper,
        "tag": tag,
        "port": port,
        "data": host.folder / f"{name}-data",
        "options": of.pop("options", ""),
        **of.pop("words", {}),
    }
    if "of_build" in of:
        of["build"] = of.pop("of_build")
    made = host.add(
        name, port=port, strategy="script", ref="refs/heads/master", ports=[],
        files={"build.sh": build.format(**words), "start.sh": start.format(**words),
               "Dockerfile": DOCKERFILE.format(base=host.base)},
        **of,
    )  # fmt: skip
    for script in ("build.sh", "start.sh"):
        (made.copy.folder / script).chmod(0o755)
    made.copy.push = lambda: copies.WorkCopy.push(made.copy, "master")
    return made


def selfoss(host, name, **of):
    return add(host, name, hosts.product.free_port(), build=BUILD, start=START, **of)


def inspected(project):
    return project.host.engine.api.inspect_container(project.serving().id)


def test_a_repository_of_2015_is_deployed_and_deployed_again_and_nobody_notices(old):
    project = selfoss(old, "selfoss")
    build = project.live()
    assert project.get() == project.version

    with traffic.Traffic({"selfoss": project.url}, 4) as load:
        assert load.wait_for("selfoss", project.version, 10)
        for _ in range(3):
            build = project.live()
            assert load.wait_for("selfoss", project.version, 10)
        load.stop()

    assert load.failures() == {}
    assert load.window().requests > 300
    assert build.requests is not None
    assert build.failed == 0
    box = inspected(project)
    assert box["Config"]["Labels"][labels.PROJECT] == "selfoss"
    assert f"{old.folder}/selfoss-data:/data" in box["HostConfig"]["Binds"]
    assert box["HostConfig"]["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 10}
    assert box["HostConfig"]["PortBindings"] in ({}, None)
    said = project.log(build)
    assert "the proxy has its ports" in said
    assert "serves: it is stopped when the new version has its traffic" in said
    assert len(project.boxes()) == 2
    assert project.shown()["warning"] is None
    kept = old.settings.scripts / "selfoss" / "selfoss"
    assert (kept / ".git").is_dir()


def test_roll_back_is_by_image_and_runs_no_script(old):
    project = selfoss(old, "back")
    first = project.live()
    version = project.version
    project.live()

    shown = old.run("rollback", "back", "--wait")

    assert (shown["phase"], shown["image"]) == ("live", first.image)
    assert project.get() == version
    box = inspected(project)
    assert f"{old.folder}/back-data:/data" in box["HostConfig"]["Binds"]
    assert PHASE.BUILDING not in [phase for phase, _ in old.store.phases(shown["id"])]
    assert project.live()


def test_roll_back_has_the_files_that_the_script_named_at_that_build(old):
    start = START.replace("-p", "--env-file app.env -p")
    project = add(old, "around", hosts.product.free_port(), build=BUILD, start=start)
    project.live(app__env="MOOD=good\n")
    project.live(app__env="MOOD=bad\n")

    shown = old.run("rollback", "around", "--wait")

    assert shown["phase"] == "live"
    assert "MOOD=good" in inspected(project)["Config"]["Env"]
    old.run("rollback", "around", "--wait")
    assert "MOOD=bad" in inspected(project)["Config"]["Env"]


def test_a_build_that_fails_leaves_the_old_container_alone(old):
    project = selfoss(old, "broken")
    serving = project.live()
    version = project.version

    failed = project.deploy(Dockerfile="FROM scratch\nCOPY missing /\n")

    assert failed.phase is PHASE.FAILED
    assert "docker build failed with exit status 1" in (failed.reason or "")
    assert project.get() == version
    assert [box.build for box in project.boxes()] == [serving.id]
    assert project.live(Dockerfile=DOCKERFILE.format(base=old.base))


def test_a_version_that_does_not_prove_itself_gets_no_traffic(old):
    project = selfoss(old, "sick", health={"timeout": 2})
    project.live()
    version = project.version

    failed = project.deploy(serve__sh="#!/bin/sh\nexit 3\n")

    assert failed.phase is PHASE.FAILED
    assert "died with exit status 3" in (failed.reason or "")
    assert project.get() == version


def test_what_scripts_build_is_held_within_limits(old):
    project = selfoss(old, "greedy", of_build={"limits": {"pids": 64}, "timeout": 60})
    serving = project.live()
    bomb = (
        DOCKERFILE.format(base=old.base)
        + f"RUN : {uuid.uuid4()}; b() {{ b | b & }}; b; sleep 60\n"
    )

    failed = project.deploy(Dockerfile=bomb)

    assert failed.phase is PHASE.FAILED
    assert "The build wanted more than 64 processes and was stopped" in (failed.reason or "")
    assert failed.finished - failed.created < 45
    assert project.serving().build == serving.id


def test_scripts_without_the_helper_keep_names_and_one_off_containers(old):
    port = hosts.product.free_port()
    project = add(old, "hand", port, build=BY_HAND, environment={"GREETING": "hello"})
    project.live()
    with traffic.Traffic({"hand": project.url}) as load:
        assert load.wait_for("hand", project.version, 10)
        build = project.live()
        assert load.wait_for("hand", project.version, 10)
        load.stop()

    assert load.failures() == {}
    assert f"\n{project.version}" in project.log(build)
    assert "GREETING=hello" in inspected(project)["Config"]["Env"]
    assert len(project.boxes()) == 2
    network = inspected(project)["NetworkSettings"]["Networks"][
        labels.network_name(old.settings.instance)
    ]
    assert f"hand-{old.settings.instance}" in network["Aliases"]


def test_what_cannot_run_twice_stops_first_and_says_so(old):
    port = hosts.product.free_port()
    there = BY_HAND.replace("-p {port}:8000", "-p 127.0.0.1:{port}:8000").replace(
        "docker exec {tag} cat /www/index.html\n", ""
    )
    project = add(old, "alone", port, build=there)
    project.live()

    project.live()

    assert project.get() == project.version
    assert f"it publishes 127.0.0.1:{port}:8000" in project.shown()["warning"]
    assert [box.is_running for box in sorted(project.boxes(), key=lambda b: b.build)] == [
        False,
        True,
    ]
    old.run("rollback", "alone", "--wait")
    assert project.get() == "alone-1"


# Started as mumble is: voice by UDP and control by TCP, both on one number.
VOICE = """#!/bin/sh
docker run -d -p {port}:7000 -p {port}:7000/udp {lent} {tag} {python} /app.py
"""


def test_voice_and_control_on_one_number_move_together(old):
    port = hosts.product.free_port()
    lent = " ".join(f"-v {volume}" for volume in hosts.lent_python())
    words = {"lent": lent, "python": " ".join(hosts.PYTHON)}
    project = add(old, "mumble", port, build=BUILD, start=VOICE, words=words)
    project.copy.write("app.py", (hosts.EVERY / "app.py").read_text("utf-8"))
    project.copy.write("Dockerfile", f"FROM {old.base}\nCOPY app.py version.txt /\n")
    build = project.live()
    assert project.shown()["ports"] == []  # nobody said so in the registry: the script did

    with datagrams.sending(port, clients=4) as senders:
        hosts.wait_for(lambda: senders.answers(project.version), "the first answer")
        for _ in range(2):
            build = project.live()
            hosts.wait_for(lambda: senders.answers(project.version), "the new version")
        senders.stop()
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(b"x\n")
        assert connection.makefile().readline() == f"{project.version} x\n"

    assert max(senders.lost()) <= 4  # two deploys, two datagrams each at most
    assert f"the proxy has its ports {port}, {port}" in project.log(build)
    assert project.shown()["warning"] is None


def test_a_container_on_the_host_s_network_is_exchanged_and_says_what_that_costs(old):
    serve = "#!/bin/sh\nhttpd -f -p {port} -h /www &\ntrap 'kill $!; exit 0' TERM\nwait\n"
    port = hosts.product.free_port()
    start = "#!/bin/sh\ndocker run -d --network host -p {port}:8000 {tag}\n"
    project = add(old, "on-host", port, build=BUILD, start=start)
    project.copy.write("serve.sh", serve.replace("{port}", str(port)))
    project.live()
    build = project.live()

    assert project.get() == project.version
    said = project.log(build)
    assert "with --network host its ports are its own" in said
    assert "say -p PORT:TARGET in its place" in said
    assert "it uses --network host: its ports are not the proxy's" in project.shown()["warning"]
    assert sorted(box.is_running for box in project.boxes()) == [False, True]


def test_without_overlap_requests_wait(old):
    project = selfoss(old, "waits", script={"overlap": False})
    project.live()

    with traffic.Traffic({"waits": project.url}, 3) as load:
        assert load.wait_for("waits", project.version, 10)
        project.live()
        assert load.wait_for("waits", project.version, 10)
        load.stop()

    assert load.failures() == {}
    assert project.shown()["warning"].endswith("script.overlap is off")


def test_scripts_get_their_arguments_and_nothing_of_the_worker(old, tmp_path):
    seen = tmp_path / "seen"
    show = f'#!/bin/sh\n{{ echo "$@"; pwd; env; }} > {shlex.quote(str(seen))}\n'
    project = add(
        old, "shows", hosts.product.free_port(), build=show.replace("{", "{{").replace("}", "}}"),
        environment={"GIVEN": "1"}, script={"path": str(tmp_path / "path")},
    )  # fmt: skip

    failed = project.deploy()

    assert failed.phase is PHASE.FAILED
    assert "no docker run -d was seen" in (failed.reason or "")
    arguments, folder, *environment = seen.read_text().splitlines()
    assert arguments == "shows master"
    assert folder == str(tmp_path / "path" / "shows")
    names = {line.partition("=")[0] for line in environment}
    assert "GIVEN" in names
    assert not {name for name in names if name.startswith("BUILD_HOOK_")} - {"BUILD_HOOK_SCRIPT"}
    assert "PYTEST_CURRENT_TEST" not in names


def background(tmp_path):
    pid = tmp_path / "pid"
    return pid, f"#!/bin/sh\nsetsid sh -c 'echo $$ > {pid}; exec sleep 300' >/dev/null 2>&1 &\n"


def gone(pid: pathlib.Path):
    return not os.path.exists(f"/proc/{pid.read_text().strip()}/exe")


@pytest.mark.parametrize("how", ["cancelled", "late", "crash"])
def test_all_that_scripts_started_ends_with_their_build(old, tmp_path, how):
    pid, build = background(tmp_path)
    limits: dict[str, Any] = {"of_build": {"timeout": 3}} if how == "late" else {}
    project = add(
        old, f"ends-{how}", hosts.product.free_port(), build=build,
        **limits,
    )  # fmt: skip
    project.push()
    old.until(lambda: pid.exists() and pid.read_text().strip(), "the script")

    if how == "cancelled":
        old.run("cancel", str(project.history()[0].id))
    elif how == "crash":
        first = pid.read_text()
        old.restart("worker")
        old.until(lambda: not os.path.exists(f"/proc/{first.strip()}/exe"), "the end of the first")
        old.until(lambda: pid.read_text() != first, "the script again")
        old.run("cancel", str(project.history()[0].id))

    old.until(lambda: gone(pid), "the end of what it started", 20)
    old.until(lambda: not old.store.running(), "the end of the build")
    if how == "late":
        assert "took longer than 3 s" in (project.history()[0].reason or "")
    assert not list((old.settings.run / "scripts").glob("*"))


def test_a_port_of_another_project_is_refused(old):
    first = selfoss(old, "first")
    first.live()
    second = add(old, "second", first.port, build=BUILD, start=START)

    failed = second.deploy()

    assert failed.phase is PHASE.FAILED
    assert f"first and second both publish port {first.port}" in (failed.reason or "")
    assert first.get() == first.version
    assert second.boxes() == []


def test_the_helper_by_hand_names_the_way(old):
    project = selfoss(old, "by-hand")
    project.live()

    done = subprocess.run(
        [old.settings.script_helper, "-r", ".", "-t", f"by-hand-{old.settings.instance}"],
        capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "PATH": "/usr/bin:/bin"},
    )  # fmt: skip

    assert done.returncode == 1
    assert "Use: build-hook deploy by-hand" in done.stderr
    assert project.get() == project.version


def test_it_survives_a_restart_of_the_worker_and_of_the_proxy(old):
    project = selfoss(old, "stays")
    project.live()

    old.restart("worker")
    old.restart("proxy")

    old.until(project.answers, "an answer")
    time.sleep(0.3)
    assert project.get() == project.version
    assert project.live()
