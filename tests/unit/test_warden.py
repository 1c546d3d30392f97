import json
import shutil

import pytest

from build_hook import errors
from build_hook.deploy import cgroups, warden

ALL = cgroups.Ceiling(cpus=2, memory=1000, pids=100)
ONE = cgroups.Ceiling(cpus=1, memory=600, pids=80)
MARK = "shop.abcd.build-hook.invalid"


class Machine:
    """Where BuildKit writes its steps, and a hierarchy of control groups for each controller."""

    def __init__(self, folder):
        self.executor = folder / "executor"
        self.root = folder / "cgroup"
        self.executor.mkdir()

    def start(self, name, mark=MARK, memory=0, before=()):
        bundle = self.executor / name
        bundle.mkdir()
        config = {
            "process": {"env": ["PATH=/bin", *before, f"NO_PROXY=*.lan,{mark}"]},
            "linux": {"cgroupsPath": f"/docker/buildkit/{name}"},
        }
        for controller, files in {
            "cpu": {"cpu.cfs_period_us": "", "cpu.cfs_quota_us": ""},
            "memory": {
                "memory.limit_in_bytes": "",
                "memory.stat": f"rss {memory}\n",
                "memory.oom_control": "oom_kill 0\n",
            },
            "pids": {"pids.max": "", "pids.events": "max 0\n", "cgroup.procs": ""},
        }.items():
            self.file(name, controller, "").mkdir(parents=True)
            for file, text in files.items():
                self.file(name, controller, file).write_text(text, encoding="ascii")
        (bundle / "config.json").write_text(json.dumps(config), encoding="utf-8")

    def end(self, name):
        shutil.rmtree(self.executor / name)
        for controller in cgroups.CONTROLLERS:
            shutil.rmtree(self.file(name, controller, ""))

    def file(self, name, controller, file):
        return self.root / controller / "docker/buildkit" / name / file

    def limits(self, name):
        return tuple(
            self.file(name, controller, file).read_text()
            for controller, file in (
                ("cpu", "cpu.cfs_quota_us"),
                ("memory", "memory.limit_in_bytes"),
                ("pids", "pids.max"),
            )
        )


@pytest.fixture
def machine(tmp_path):
    made = Machine(tmp_path)
    yield made
    for bundle in list(made.executor.iterdir()):
        made.end(bundle.name)


@pytest.fixture
def watcher(machine, monkeypatch):
    """A warden that looks when it is told to."""
    monkeypatch.setattr(warden.Warden, "_watch", lambda self: None)
    monkeypatch.setattr(warden, "_LAST_WORDS", 0.05)
    return warden.Warden(machine.executor, ALL, machine.root)


def nothing():
    return None


def test_step_is_limited_and_a_strangers_is_not(machine, watcher):
    machine.start("stranger", mark="other")
    with watcher.watching(MARK, ONE, nothing) as ward:
        machine.start("step")
        watcher.look()

        assert machine.limits("step") == ("20000", "600", "80")
        assert machine.limits("stranger") == ("", "", "")
        ward.check()
        machine.end("step")


@pytest.mark.parametrize("longer", [f"my-{MARK}", f"web.{MARK}", f"{MARK}.more"])
def test_project_whose_name_is_part_of_anothers_gets_none_of_its_steps(machine, watcher, longer):
    with (
        watcher.watching(MARK, ONE, nothing) as shop,
        watcher.watching(longer, ALL, nothing) as other,
    ):
        machine.start("step", mark=longer)
        watcher.look()

        assert (list(shop.steps), list(other.steps)) == ([], ["step"])
        machine.end("step")


@pytest.mark.parametrize("variable", ["NO_PROXY=other", "no_proxy=a,other", "MARK=other"])
def test_dockerfile_cannot_pass_its_step_off_as_anothers(machine, watcher, variable):
    with (
        watcher.watching("other", ALL, nothing) as other,
        watcher.watching(MARK, ONE, nothing) as shop,
    ):
        machine.start("step", before=(variable,))
        watcher.look()

        assert (list(shop.steps), list(other.steps)) == (["step"], [])
        machine.end("step")


def test_steps_side_by_side_share(machine, watcher):
    with watcher.watching(MARK, ONE, nothing):
        machine.start("a")
        watcher.look()
        machine.start("b")
        watcher.look()

        assert machine.limits("a") == machine.limits("b") == ("10000", "600", "40")
        machine.end("a")
        watcher.look()
        assert machine.limits("b") == ("20000", "600", "80")
        machine.end("b")


def test_all_builds_share_what_there_is(machine, watcher):
    with watcher.watching(MARK, ALL, nothing), watcher.watching("other", ALL, nothing):
        for name, mark in (("a", MARK), ("b", "other"), ("c", "other")):
            machine.start(name, mark)
        watcher.look()

        assert [machine.limits(n)[0] for n in "abc"] == ["13333"] * 3
        for name in "abc":
            machine.end(name)


class Passers:
    """Processes that pass on what steps print, and what they take."""

    def __init__(self, cpus):
        self.taken, self.steps = cpus, set()

    def follow(self, steps):
        self.steps = set(steps)

    def cpus(self):
        return self.taken


@pytest.mark.parametrize(("taken", "left"), [(0.0, "20000"), (2.0, "10000"), (50.0, "4000")])
def test_what_passing_on_their_output_takes_is_taken_from_steps(
    machine, watcher, monkeypatch, taken, left
):
    passers = Passers(taken)
    monkeypatch.setattr(watcher, "_carriers", passers)
    with watcher.watching(MARK, cgroups.Ceiling(cpus=1, memory=600, pids=80), nothing):
        machine.start("step")
        machine.file("step", "pids", "cgroup.procs").write_text("70\n41\n", encoding="ascii")
        watcher.look()
        monkeypatch.setattr(watcher, "_weighed", 0.0)
        watcher.look()

        assert passers.steps == {41}
        assert machine.limits("step")[0] == left
        machine.end("step")


def test_step_whose_configuration_is_half_written_is_looked_at_again(machine, watcher):
    with watcher.watching(MARK, ONE, nothing):
        machine.start("step")
        file = machine.executor / "step/config.json"
        text = file.read_text()
        file.write_text(text[:20], encoding="utf-8")
        watcher.look()
        file.write_text(text, encoding="utf-8")
        watcher.look()

        assert machine.limits("step")[2] == "80"
        machine.end("step")


@pytest.mark.parametrize(
    ("controller", "file", "text", "said"),
    [
        ("memory", "memory.oom_control", "oom_kill 1\n", "more than 0 MiB of memory"),
        ("pids", "pids.events", "max 1\n", "more than 80 processes.*build.limits.pids"),
    ],
)
def test_build_that_passes_a_limit_is_stopped(machine, watcher, controller, file, text, said):
    with watcher.watching(MARK, ONE, nothing) as ward:
        machine.start("step")
        machine.file("step", controller, file).write_text(text, encoding="ascii")
        watcher.look()

        with pytest.raises(errors.LimitError, match=said):
            ward.check()
        machine.end("step")


def test_memory_counts_over_all_steps_of_a_build(machine, watcher):
    with watcher.watching(MARK, ONE, nothing) as ward:
        machine.start("a", memory=301)
        watcher.look()
        ward.check()
        machine.start("b", memory=300)
        watcher.look()

        with pytest.raises(errors.LimitError, match="memory"):
            ward.check()
        machine.end("a")
        machine.end("b")


def test_memory_counts_over_all_builds_and_the_greediest_goes(machine, watcher):
    with (
        watcher.watching(MARK, ONE, nothing) as modest,
        watcher.watching("other", ONE, nothing) as greedy,
    ):
        machine.start("a", memory=450)
        machine.start("b", mark="other", memory=560)
        watcher.look()

        modest.check()
        with pytest.raises(errors.LimitError, match="memory"):
            greedy.check()
        machine.end("a")
        machine.end("b")


def test_build_that_fills_the_disk_is_stopped(machine, watcher):
    def full():
        raise errors.DiskFullError("Only 1 MiB is free")

    with watcher.watching(MARK, ONE, full) as ward:
        watcher.look()

        with pytest.raises(errors.DiskFullError, match="Only 1 MiB"):
            ward.check()


def test_ward_takes_no_more_than_all_may(machine, watcher):
    with watcher.watching(MARK, cgroups.Ceiling(64, 2**40, 10**6), nothing) as ward:
        assert ward.ceiling == ALL


def test_thread_watches_while_there_is_a_build(machine):
    busy = warden.Warden(machine.executor, ALL, machine.root)
    with busy.watching(MARK, ONE, nothing):
        machine.start("step")
        while machine.limits("step")[2] != "80":
            pass
        machine.end("step")


def test_steps_that_cannot_be_seen_are_told(machine, tmp_path):
    for controller in cgroups.CONTROLLERS:
        (machine.root / controller).mkdir(parents=True)
    warden.Warden(machine.executor, ALL, machine.root).require()

    with pytest.raises(errors.LimitError, match=r"cannot see the steps.*as root"):
        warden.Warden(tmp_path / "absent", ALL, machine.root).require()
