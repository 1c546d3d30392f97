import pytest

from build_hook.demo import report, script, traffic, verdict

WINDOW = traffic.Window(requests=500, failed=0, longest_gap_ms=40)


class Seen:
    """What the load saw, made up."""

    def __init__(self):
        self.answers = {"web": "web-3", "echo": "echo-5"}
        self.versions = {"web-1", "web-3", "echo-2", "echo-5"}
        self.lost = {}

    def window(self):
        return WINDOW

    def failures(self):
        return self.lost

    def reopened(self):
        return 2

    def first_seen(self, port, version):
        return 1.0 if version in self.versions else None

    def answering(self, port):
        return self.answers[port]


@pytest.fixture
def seen():
    return Seen()


@pytest.fixture
def pushed():
    return tuple(
        script.Pushed(change, f"{change.project}-{number}", str(number) * 40, 0.0)
        for number, change in enumerate(script.CHANGES, start=1)
    )


def results(pushed, **outcomes):
    return tuple(
        report.Push(
            project=p.change.project,
            message=p.change.message,
            commit=p.commit,
            outcome=outcomes.get(f"n{p.commit[0]}", "failed" if p.change.broken else "live"),
            reason=None,
            build_s=0.5,
            push_to_live_s=None if p.change.broken else 1.25,
            seen=WINDOW,
        )
        for p in pushed
    )


def test_all_well_is_ok(pushed, seen):
    found = verdict.judge(pushed, results(pushed), seen)

    assert found.ok
    assert found.live == {"web": "3" * 40, "echo": "5" * 40}
    assert found.served_broken is False
    assert found.reopened == 2


def test_a_failed_request_is_a_fault(pushed, seen):
    seen.lost = {"web: refused": 2}

    found = verdict.judge(pushed, results(pushed), seen)

    assert not found.ok
    assert found.faults == ("web: refused: 2 requests",)


def test_a_broken_version_that_served_is_a_fault(pushed, seen):
    seen.versions.add("echo-4")

    found = verdict.judge(pushed, results(pushed), seen)

    assert found.served_broken
    assert found.faults == ("the broken version served",)


@pytest.mark.parametrize("last", ["echo-2", "unknown", None])
def test_another_version_at_the_end_is_a_fault(pushed, seen, last):
    seen.answers["echo"] = last

    found = verdict.judge(pushed, results(pushed), seen)

    assert found.faults == ("echo does not serve its last commit",)


def test_a_push_that_ended_otherwise_than_meant_is_a_fault(pushed, seen):
    found = verdict.judge(pushed, results(pushed, n2="failed", n4="live"), seen)

    assert found.faults == ("the push of 2222222 ended failed", "the push of 4444444 ended live")


def test_fourth_push_is_broken_and_fifth_mends_the_same_project():
    assert [change.broken for change in script.CHANGES] == [False, False, False, True, False]
    assert script.CHANGES[3].project == script.CHANGES[4].project
    assert {change.project for change in script.CHANGES} == {"web", "echo"}
