import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import docker
import pytest

from build_hook import labels
from build_hook.demo import baseimage


class Demo:
    """A demo that runs, with the name of its instance."""

    def __init__(self, folder):
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "build_hook", "demo", "--json"],
            env={**os.environ, "TMPDIR": str(folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while not (found := list(folder.glob("*/state/instance"))):
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.01)
        self.instance = found[0].read_text().strip()

    def wait_until(self, word):
        assert self.process.stderr
        for line in self.process.stderr:
            if word in line:
                return

    def kill_proxy(self):
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):  # it ended meanwhile
                words = path.read_bytes().split(b"\0")
                if words[0].endswith(b"/haproxy") and str(self.folder).encode() in b" ".join(
                    words
                ):
                    os.kill(int(path.parent.name), signal.SIGKILL)

    def left_over(self):
        """What is still there with its label or below its folder."""
        client = docker.from_env()
        found = [str(path) for path in self.folder.iterdir()]
        for label in (labels.INSTANCE, baseimage.LABEL):
            mine: dict[str, str | list[str] | bool] = {"label": f"{label}={self.instance}"}
            found += [container.name for container in client.containers.list(True, filters=mine)]
            found += [network.name for network in client.networks.list(filters=mine)]
            found += [image.id for image in client.images.list(filters=mine)]
        client.close()
        return found


@pytest.fixture
def demo():
    with tempfile.TemporaryDirectory() as folder:  # pytest's are too long for sockets below them
        running = Demo(pathlib.Path(folder))
        yield running
        running.process.terminate()
        running.process.communicate(timeout=60)


def test_five_pushes_and_nobody_notices(demo):
    said, progress = demo.process.communicate(timeout=180)

    found = json.loads(said)
    assert demo.process.returncode == 0, progress
    assert found["ok"] is True
    assert [push["outcome"] for push in found["pushes"]] == [
        "live", "live", "live", "failed", "live",
    ]  # fmt: skip
    assert [push["project"] for push in found["pushes"]] == ["web", "echo", "web", "echo", "echo"]
    assert all(push["build_s"] > 0 for push in found["pushes"])
    assert found["pushes"][3]["push_to_live_s"] is None
    assert all(push["push_to_live_s"] > 0 for push in found["pushes"] if push["outcome"] == "live")
    assert found["requests"] > 500
    assert found["failed"] == 0
    assert found["served_broken"] is False
    assert found["live"] == {
        "web": found["pushes"][2]["commit"],
        "echo": found["pushes"][4]["commit"],
    }
    assert "Push 5 of 5" in progress
    assert demo.left_over() == []


def test_requests_that_fail_are_counted_and_the_exit_status_says_so(demo):
    demo.wait_until("Push 2 of 5")
    demo.kill_proxy()
    said, progress = demo.process.communicate(timeout=180)

    found = json.loads(said)
    assert demo.process.returncode == 1
    assert found["ok"] is False
    assert found["failed"] > 0
    assert sum(found["failures"].values()) == found["failed"]
    assert "requests" in progress.splitlines()[-1]
    assert demo.left_over() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_demo_that_is_stopped_leaves_nothing_behind(demo, number):
    demo.wait_until("building")
    demo.process.send_signal(number)
    time.sleep(0.1)
    demo.process.send_signal(number)  # the impatient press twice
    said, _ = demo.process.communicate(timeout=60)

    assert demo.process.returncode == 128 + number
    assert said == ""
    assert demo.left_over() == []
