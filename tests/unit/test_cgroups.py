import os
import subprocess

import pytest

from build_hook import errors
from build_hook.deploy import cgroups

CEILING = cgroups.Ceiling(cpus=1.5, memory=2**20, pids=10)


@pytest.fixture
def first(tmp_path):
    """A hierarchy for each controller, as cgroup v1 has them, with one group."""
    files = {
        "cpu": ("cpu.cfs_period_us", "cpu.cfs_quota_us", "cpu.shares"),
        "memory": ("memory.limit_in_bytes", "memory.stat", "memory.oom_control"),
        "pids": ("pids.max", "pids.events", "cgroup.procs"),
    }
    for controller, names in files.items():
        folder = tmp_path / controller / "docker/buildkit/x"
        folder.mkdir(parents=True)
        for name in names:
            (folder / name).touch()
    return tmp_path


@pytest.fixture
def second(tmp_path):
    """One hierarchy for all, as cgroup v2 has it."""
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids\n", encoding="ascii")
    (tmp_path / "cgroup.subtree_control").touch()
    folder = tmp_path / "system.slice/docker-x.scope"
    folder.mkdir(parents=True)
    for name in ("cpu.max", "cpu.weight", "io.weight", "memory.max", "memory.swap.max", "pids.max",
                 "memory.stat", "memory.events", "pids.events", "cgroup.procs"):  # fmt: skip
        (folder / name).touch()
    return tmp_path


def test_limits_of_the_first_version(first):
    cgroups.Group("/docker/buildkit/x", first).limit(CEILING)

    read = {p.name: p.read_text() for p in first.rglob("*") if p.is_file() and p.stat().st_size}
    assert read == {
        "cpu.cfs_period_us": "20000",
        "cpu.cfs_quota_us": "30000",
        "cpu.shares": "102",
        "memory.limit_in_bytes": "1048576",
        "pids.max": "10",
    }


@pytest.mark.parametrize(
    ("cpus", "quota", "period"), [(0.04, 1000, 25_000), (0.001, 1000, 1_000_000)]
)
def test_small_share_is_one_of_a_longer_period(second, cpus, quota, period):
    cgroups.Group("system.slice:docker:x", second).limit(cgroups.Ceiling(cpus, 2**20, 10))

    assert (second / "system.slice/docker-x.scope/cpu.max").read_text() == f"{quota} {period}"


def test_first_process_of_a_group_is_the_oldest(second):
    group = cgroups.Group("system.slice:docker:x", second)
    (second / "system.slice/docker-x.scope/cgroup.procs").write_text("70\n41\n")

    assert group.first == 41


def test_limits_of_the_second_version(second):
    cgroups.Group("system.slice:docker:x", second).limit(CEILING)

    folder = second / "system.slice/docker-x.scope"
    read = {p.name: p.read_text() for p in folder.iterdir() if p.stat().st_size}
    assert read == {
        "cpu.max": "30000 20000",
        "cpu.weight": "10",
        "io.weight": "10",
        "memory.max": "1048576",
        "memory.swap.max": "0",
        "pids.max": "10",
    }


def test_kernel_that_knows_no_weights_limits_all_the_same(second):
    folder = second / "system.slice/docker-x.scope"
    for name in ("cpu.weight", "io.weight"):
        (folder / name).unlink()

    cgroups.Group("system.slice:docker:x", second).limit(CEILING)

    assert (folder / "pids.max").read_text() == "10"
    assert not (folder / "cpu.weight").exists()


def test_group_that_is_gone_is_not_made_anew(first):
    gone = cgroups.Group("/docker/buildkit/y", first)

    assert not gone.is_there
    with pytest.raises(FileNotFoundError):
        gone.limit(CEILING)
    assert (gone.memory(), gone.was_killed(), gone.was_refused()) == (0, False, False)
    assert not (first / "cpu/docker/buildkit/y").exists()


@pytest.mark.parametrize(
    ("version", "folder", "name", "stat", "oom"),
    [
        ("first", "memory/docker/buildkit/x", "/docker/buildkit/x", "rss 3", "memory.oom_control"),
        ("second", "system.slice/docker-x.scope", "system.slice:docker:x", "anon 3",
         "memory.events"),
    ],
)  # fmt: skip
def test_what_it_took(request, version, folder, name, stat, oom):
    root = request.getfixturevalue(version)
    group = cgroups.Group(name, root)
    (root / folder / "memory.stat").write_text(f"cache 100\n{stat}\nshmem 4\n", encoding="ascii")
    assert group.memory() == 7

    assert not group.was_killed()
    (root / folder / oom).write_text("oom_kill_disable 0\noom_kill 1\n", encoding="ascii")
    assert group.was_killed()

    assert not group.was_refused()
    events = next(root.rglob("pids.events"))
    events.write_text("max 2\n", encoding="ascii")
    assert group.was_refused()


def test_what_runs_in_it_is_killed(first):
    sleeper = subprocess.Popen(["sleep", "60"])
    procs = first / "pids/docker/buildkit/x/cgroup.procs"
    procs.write_text(f"{sleeper.pid}\n", encoding="ascii")

    cgroups.Group("/docker/buildkit/x", first).kill()

    assert sleeper.wait(5) == -9


def test_slice_lies_in_the_slices_of_its_name(second):
    group = cgroups.Group("a-b.slice:docker:x", second)
    assert not group.is_there

    (second / "a.slice/a-b.slice/docker-x.scope").mkdir(parents=True)
    assert group.is_there


def test_missing_controller_is_told(second):
    cgroups.require_writable(second)
    (second / "cgroup.controllers").write_text("cpu pids\n", encoding="ascii")

    with pytest.raises(errors.LimitError, match="no controller memory"):
        cgroups.require_writable(second)


def test_missing_right_is_told(first, monkeypatch):
    cgroups.require_writable(first)
    monkeypatch.setattr(os, "access", lambda *_, **__: False)

    with pytest.raises(errors.LimitError, match="may not write"):
        cgroups.require_writable(first)


def test_shares():
    assert CEILING.share(3) == cgroups.Ceiling(0.5, 2**20, 3)
    assert CEILING.share(100).pids == 1
    other = cgroups.Ceiling(cpus=1, memory=2**30, pids=5)
    assert CEILING.within(other) == cgroups.Ceiling(1, 2**20, 5)
