"""Rights without root: who has them, that nobody inherits them, and that limits hold by them."""

import contextlib
import os
import pathlib
import subprocess
import sys
import uuid

import pytest

from build_hook.deploy import capabilities
from build_hook.store import builds
from tests.functional import host as hosts

RIGHTS = "+dac_override,+kill"
SHOW = "grep CapEff /proc/self/status"
LOWER = (
    "import subprocess; from build_hook.deploy import capabilities as c; {}"
    f"print(c.may_limit(), subprocess.check_output({SHOW.split()!r}, text=True))"
)


def as_nobody(rights: str, code: str) -> list[str]:
    """What a program of ours prints that runs as user 65534 with these rights."""
    argv = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", f"--inh-caps={rights}",
            f"--ambient-caps={rights}", "--", sys.executable, "-S", "-c", code)  # fmt: skip
    path = ":".join(entry for entry in sys.path if entry)
    done = subprocess.run(
        argv, env={"PYTHONPATH": path, "PATH": os.environ["PATH"]}, capture_output=True, text=True,
        timeout=30, check=True,
    )  # fmt: skip
    return done.stdout.split()


def test_programs_inherit_what_the_worker_was_given():
    may, _, bits = as_nobody(RIGHTS, LOWER.format(""))

    assert may == "True"
    assert int(bits, 16) == 1 << 1 | 1 << 5


def test_programs_do_not_inherit_what_it_keeps_to_itself():
    may, _, bits = as_nobody(RIGHTS, LOWER.format("c.keep_to_ourselves();"))

    assert may == "True"
    assert int(bits, 16) == 0


def test_other_rights_are_passed_on():
    _, _, bits = as_nobody(f"{RIGHTS},+net_bind_service", LOWER.format("c.keep_to_ourselves();"))

    assert int(bits, 16) == 1 << 10


def test_who_has_one_of_two_may_not_limit():
    may, _, _ = as_nobody("+dac_override", LOWER.format(""))

    assert may == "False"


def test_a_process_that_has_gone_may_nothing():
    assert not capabilities.may_limit(2**22 + 1)


# --- a worker that is not root, as its unit under Juju starts it ------------------------------

ACCOUNT = 4242
HOG = f"""ARG BASE
FROM ${{BASE}}
RUN : {uuid.uuid4()}; x=0123456789abcdef; while :; do x=$x$x; done
"""


@contextlib.contextmanager
def worker(host: hosts.Host, rights: str):
    """A worker of that account; Docker's group is what makes it one."""
    group = pathlib.Path("/var/run/docker.sock").stat().st_gid
    for path in (host.folder, *(p for p in host.folder.rglob("*") if "git" not in p.parts)):
        os.chown(path, ACCOUNT, ACCOUNT)
    argv = ("setpriv", f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", f"--groups={group}",
            f"--inh-caps={rights}", f"--ambient-caps={rights}", "--", python(), "-S", "-m",
            "build_hook", "--state", str(host.settings.state), "worker")  # fmt: skip
    # our packages, but not our interpreter's own: this one may be another
    path = ":".join(p for p in sys.path if p.endswith(("site-packages", "/src", "/lib")))
    environ = {**os.environ, **host.environ, "PYTHONPATH": path, "HOME": str(host.folder)}
    with (host.folder / "worker.log").open("w") as log:
        process = subprocess.Popen(argv, env=environ, stdout=log, stderr=log)
        try:
            said = host.folder / "worker.log"
            host.until(lambda: "ready" in said.read_text() or process.poll(), "the worker", 20)
            assert process.poll() is None, said.read_text()
            yield
        finally:
            process.kill()
            process.wait(10)


def python() -> str:
    """An interpreter that other accounts may run: ours may lie in root's home."""
    ours = pathlib.Path(sys.executable).resolve()
    is_open = all(parent.stat().st_mode & 0o001 for parent in ours.parents)
    return str(ours) if is_open else "/usr/bin/python3"


def failed(host: hosts.Host, name: str) -> builds.Build:
    """How the first build of a project that wants too much memory ends."""

    def look():
        ended = (b for b in host.store.recent(name, 10) if b.phase.is_end)
        return next((b for b in ended if b.phase is builds.Phase.FAILED), None)

    return host.until(look, "the end of its build", 40)


def limits(host: hosts.Host) -> tuple[bool, str]:
    """What ``doctor`` says of limits."""
    found = host.run("doctor", code=1)["findings"]  # no proxy runs
    row = next(each for each in found if each["subject"] == "build limits")
    return row["ok"], row["detail"]


@pytest.fixture
def hog(base, monkeypatch):
    with hosts.serving(base, start=False, reconcile_interval=3600, min_free_mb=10) as host:
        monkeypatch.setattr(host, "settle", lambda: None)  # web does not run
        limit = {"limits": {"memory": "64m"}, "timeout": 8}
        yield host.add("hog", build=limit, files={"Dockerfile": HOG})


def test_limits_hold_for_a_worker_that_is_not_root(hog):
    hog.push()

    with worker(hog.host, RIGHTS):
        reason = failed(hog.host, hog.name).reason or ""
        said = limits(hog.host)

    assert "wanted more than 64 MiB of memory" in reason or "exit code: 137" in reason
    assert said[0], said


def test_without_the_rights_doctor_and_the_log_say_that_they_do_not(hog):
    hog.push(Dockerfile="FROM scratch\nCOPY nothing /\n")

    with worker(hog.host, "-all"):
        build = failed(hog.host, hog.name)
        ok, detail = limits(hog.host)

    assert not ok
    assert f"The worker runs as user {ACCOUNT}, who may not set limits" in detail
    assert "CAP_DAC_OVERRIDE" in detail
    assert "may not write to /sys/fs/cgroup" in hog.log(build)
