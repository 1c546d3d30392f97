import os
import subprocess
import sys
import time

import pytest

from build_hook.deploy import carriers

TICKS = os.sysconf("SC_CLK_TCK")


class Proc:
    """Processes as proc(5) shows them."""

    def __init__(self, folder):
        self.folder = folder

    def put(self, pid, name, parent, seconds=0.0):
        place = self.folder / str(pid)
        place.mkdir(exist_ok=True)
        user, system = int(seconds * TICKS), 0
        rest = f"S {parent} " + "0 " * 9 + f"{user} {system} 0 0"
        (place / "stat").write_text(f"{pid} ({name}) {rest}\n", encoding="ascii")


@pytest.fixture
def proc(tmp_path):
    made = Proc(tmp_path)
    made.put(1, "systemd", 0)
    made.put(10, "dockerd", 1, 100.0)
    made.put(20, "runc", 10, 1.0)
    made.put(30, "sh) (odd", 20, 7.0)
    return made


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_runtime_and_engine_above_a_step_are_weighed(proc, clock):
    weighed = carriers.Carriers(proc.folder)
    weighed.follow([30])
    weighed.cpus()
    clock[0] += 2
    proc.put(10, "dockerd", 1, 101.0)
    proc.put(20, "runc", 10, 1.5)
    proc.put(30, "sh", 20, 9.0)

    assert weighed.cpus() == pytest.approx(0.75)


def test_two_steps_have_one_engine(proc, clock):
    proc.put(21, "runc", 10, 0.0)
    proc.put(31, "sh", 21, 0.0)
    weighed = carriers.Carriers(proc.folder)
    weighed.follow([30, 31])
    weighed.cpus()
    clock[0] += 1
    proc.put(10, "dockerd", 1, 100.5)

    assert weighed.cpus() == pytest.approx(0.5)


def test_nobody_is_weighed_once_the_steps_are_over(proc, clock):
    weighed = carriers.Carriers(proc.folder)
    weighed.follow([30])
    weighed.follow([])
    clock[0] += 1
    proc.put(10, "dockerd", 1, 150.0)

    assert weighed.cpus() == 0


def test_what_is_gone_counts_for_nothing(proc, clock):
    weighed = carriers.Carriers(proc.folder)
    weighed.follow([30, 4711, 0])
    weighed.cpus()
    (proc.folder / "20/stat").unlink()
    clock[0] += 1

    assert weighed.cpus() == 0


def test_what_passes_lines_on_gives_way():
    """A real process under the name of a runtime, with a step below it."""
    code = (
        "import pathlib, subprocess\n"
        "pathlib.Path('/proc/self/comm').write_text('runc')\n"
        "step = subprocess.Popen(['sleep', '60'])\n"
        "print(step.pid, flush=True)\n"
        "input()\n"
        "step.kill()\n"
    )
    runtime = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert runtime.stdout
    step = int(runtime.stdout.readline())
    try:
        carriers.Carriers().follow([step])

        assert os.getpriority(os.PRIO_PROCESS, runtime.pid) == 19
        assert os.getpriority(os.PRIO_PROCESS, step) == 0
    finally:
        runtime.communicate(b"\n")
