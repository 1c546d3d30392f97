"""The kill trial in short; ``python -m tests.soak.kill`` is the whole of it."""

import random

import pytest

from build_hook.store import builds
from tests.functional import host as hosts
from tests.soak import kill

PHASE = builds.Phase
WAY = (PHASE.BUILDING, PHASE.GATING, PHASE.SWITCHING, PHASE.WATCHING)


@pytest.fixture(scope="module")
def trial(base):
    with hosts.serving(base, **kill.KNOBS) as host:
        yield kill.Trial(host, random.Random(1))


@pytest.mark.parametrize("process", kill.PROCESSES)
@pytest.mark.parametrize("whole_group", [True, False], ids=["group", "main"])
def test_killed_process_loses_nothing(trial, process, whole_group):
    counts = trial.run(process, whole_group=whole_group, kills=1)

    assert counts.is_good, counts


@pytest.mark.parametrize("phase", WAY)
def test_worker_killed_at_a_phase_boundary(trial, phase):
    """The build that is under way is finished, or done again; traffic notices nothing."""
    web = trial.projects[0]
    host = web.host
    commit = web.push()
    web.until(phase, commit)

    dead = host.kill("worker")
    host.replaced("worker", dead)

    build = web.ended(commit)
    assert build.phase is PHASE.LIVE, build.reason
    assert web.get() == web.version
    boxes = {c.build: c for c in web.boxes()}
    assert boxes.keys() == {build.id, host.store.serving()[web.name].previous}
    assert boxes[build.id].is_running
    assert [c.status for c in web.boxes() if c.build != build.id] == ["exited"]
