"""Servers to measure: web as it is, and a bare Falcon application under the same gunicorn."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Sequence
from typing import NamedTuple

from benchmarks import signed_push
from build_hook import project, registry, settings

OURS = """
import pathlib, sys
from build_hook import settings
from build_hook.web import server as web
web.run(settings.load(pathlib.Path(sys.argv[1])), int(sys.argv[2]))
"""
BARE = """
import pathlib, sys, falcon.asgi
from build_hook import settings
from build_hook.web import app, server as web
class Accept:
    async def on_post(self, request, response, project):
        response.status = 202
def bare(options):
    application = falcon.asgi.App()
    application.add_route("/hooks/{project}", Accept())
    return application
app.get_app = bare
web.run(settings.load(pathlib.Path(sys.argv[1])), int(sys.argv[2]))
"""

_CHANGE = """
import pathlib, sys, time
from build_hook import registry, settings
file = settings.load(pathlib.Path(sys.argv[1])).registry
known = registry.load(file).projects
for number in range(1000):
    time.sleep(float(sys.argv[2]))
    changed = known[0].model_copy(update={"drain": float(number + 20)})
    registry.save(file, registry.Registry.model_construct(projects=(changed, *known[1:])))
"""


class Stage(NamedTuple):
    """A server that runs."""

    port: int
    state: pathlib.Path
    pid: int


@contextlib.contextmanager
def server(
    script: str, projects: int = 10, more: Sequence[project.Project] = ()
) -> Generator[Stage]:
    """Serve so many projects, and more, on a free port."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        socket.create_server(("127.0.0.1", 0), backlog=1024) as listener,
        (pathlib.Path(folder) / "web.log").open("wb") as log,
    ):
        state = pathlib.Path(folder)
        _register(state, projects, more)
        process = subprocess.Popen(
            [sys.executable, "-c", script, folder, str(listener.fileno())],
            pass_fds=(listener.fileno(),),
            start_new_session=True,
            stderr=log,
        )
        port = listener.getsockname()[1]
        try:
            _wait(port)
            yield Stage(port, state, process.pid)
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@contextlib.contextmanager
def changing(state: pathlib.Path, every: float | None) -> Generator[None]:
    """Change one project in the registry every so many seconds, or nothing at all."""
    if every is None:
        yield
        return
    script = [sys.executable, "-c", _CHANGE, str(state), str(every)]
    process = subprocess.Popen(script)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def name(number: int) -> str:
    """The name of a registered project."""
    return f"project-{number}"


def _register(state: pathlib.Path, count: int, more: Sequence[project.Project]) -> None:
    options = settings.load(state)
    (options.secrets / "benchmark").write_bytes(signed_push.SECRET)
    entries = tuple(
        project.Project(
            name=name(number),
            repository=f"https://github.example/octocat/{name(number)}.git",
            ref="main",
            webhook_secrets=("benchmark",),
        )
        for number in range(count)
    )
    registry.save(options.registry, registry.Registry(projects=(*entries, *more)))


def _wait(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
