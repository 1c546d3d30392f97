"""Other receivers of webhooks, started as their documents say: webhook and hooked."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator, Sequence

from benchmarks import signed_push
from build_hook.demo import product

HOOKED = "hooked==0.3"


@contextlib.contextmanager
def webhook(ref: str) -> Generator[tuple[int, int]]:
    """Debian's ``webhook``: checks the signature and the ref, starts ``/bin/true``; port, pid."""
    rules = [
        {
            "match": {
                "type": "payload-hmac-sha256",
                "secret": signed_push.SECRET.decode(),
                "parameter": {"source": "header", "name": "X-Hub-Signature-256"},
            }
        },
        {
            "match": {
                "type": "value",
                "value": ref,
                "parameter": {"source": "payload", "name": "ref"},
            }
        },
    ]
    hook = {"id": "push", "execute-command": "/bin/true", "trigger-rule": {"and": rules}}
    hook["trigger-rule-mismatch-http-response-code"] = 401
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        file = pathlib.Path(name) / "hooks.json"
        file.write_text(json.dumps([hook]))
        port = product.free_port()
        argv = ["webhook", "-hooks", str(file), "-ip", "127.0.0.1", "-port", str(port)]
        with _process(argv, port) as pid:
            yield port, pid


@contextlib.contextmanager
def hooked(python: str, repository: str, branch: str) -> Generator[tuple[int, int]]:
    """hooked 0.3 with its default server; it checks no signature. ``python`` is a Python 2.7."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder, port = pathlib.Path(name), product.free_port()
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
             "--target", str(folder / "lib"), HOOKED],
            check=True, capture_output=True,
        )  # fmt: skip
        file = folder / "hooked.cfg"
        file.write_text(
            f"[server]\nhost = 127.0.0.1\nport = {port}\n"
            f"[hook-push]\nrepository = {repository}\nbranch = {branch}\ncommand = /bin/true\n"
        )
        start = "import hooked.server; hooked.server.run()"
        environment = {**os.environ, "PYTHONPATH": str(folder / "lib")}
        with _process([python, "-c", start, str(file)], port, environment) as pid:
            yield port, pid


def python2(given: str | None) -> str | None:
    """A Python 2.7 that works, if there is one."""
    for name in filter(None, (given, shutil.which("python2.7"), shutil.which("python2"))):
        done = subprocess.run([name, "-m", "pip", "--version"], capture_output=True, check=False)
        if done.returncode == 0 and b"python 2.7" in done.stdout:
            return name
    return None


def settle(pid: int, longest: float = 60) -> float:
    """Wait until a process and its children have nothing left to do; since when that is so.

    Less than a tenth of a processor counts as nothing: so much housekeeping everybody does.
    """
    start = since = time.monotonic()
    before = ticks(pid)
    while since < start + longest:
        time.sleep(0.3)
        if (spent := ticks(pid)) - before <= 3:
            break
        before, since = spent, time.monotonic()
    return since


def memory(pid: int) -> float:
    """PSS of a process and its children, in MiB."""
    size = 0
    for each in (pid, *_children(pid)):
        with contextlib.suppress(OSError):
            text = pathlib.Path(f"/proc/{each}/smaps_rollup").read_text()
            size += sum(int(found) for found in re.findall(r"^Pss:\s+(\d+)", text, re.MULTILINE))
    return size / 1024


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
        return [int(one) for task in tasks for one in (task / "children").read_text().split()]
    return []


def ticks(pid: int) -> int:
    """Processor time that a process and its children have spent, in 10 ms."""
    spent = 0
    for each in (pid, *_children(pid)):
        with contextlib.suppress(OSError):
            fields = pathlib.Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            spent += sum(int(field) for field in fields[11:15])
    return spent


@contextlib.contextmanager
def _process(
    argv: Sequence[str], port: int, environment: dict[str, str] | None = None
) -> Generator[int]:
    process = subprocess.Popen(
        argv,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait(port)
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
