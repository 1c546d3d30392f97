import io
import json

import pytest
import rich.console

from build_hook.demo import progress, report, traffic

GOOD = report.Push("web", "New", "a" * 40, "live", None, 0.512, 1.25, traffic.Window(300, 0, 41))
BAD = report.Push(
    "echo", "Die", "b" * 40, "failed", "it died", 0.4, None, traffic.Window(200, 0, 35)
)


def a_report(*faults):
    return report.Report(
        pushes=(GOOD, BAD),
        seen=traffic.Window(600, 0, 41),
        failures={},
        reopened=0,
        served_broken=False,
        live={"web": "a" * 40},
        faults=faults,
    )


def printed(thing):
    text = io.StringIO()
    rich.console.Console(file=text, width=120).print(thing)
    return text.getvalue()


def test_json_has_the_keys_of_the_contract():
    said = json.loads(json.dumps(a_report().as_dict()))

    assert said["ok"] is True
    assert said["pushes"][0] == {
        "project": "web",
        "commit": "a" * 40,
        "outcome": "live",
        "reason": None,
        "build_s": 0.512,
        "push_to_live_s": 1.25,
        "requests": 300,
        "failed": 0,
        "longest_gap_ms": 41,
    }
    assert said["pushes"][1]["push_to_live_s"] is None
    assert (said["requests"], said["failed"], said["longest_gap_ms"]) == (600, 0, 41)
    assert said["served_broken"] is False
    assert said["live"] == {"web": "a" * 40}


def test_any_fault_is_not_ok():
    assert a_report("echo does not serve its last commit").as_dict()["ok"] is False


def test_table_has_every_push_and_the_whole():
    text = printed(a_report().table())

    for column in ("push", "commit", "build s", "push-to-live s", "requests", "failed"):
        assert column in text
    assert "aaaaaaa" in text
    assert "1.25" in text
    assert "600" in text
    assert "NOT OK" not in text
    assert "NOT OK" in printed(a_report("a fault").table())


def test_a_push_that_did_not_go_live_is_explained():
    assert a_report().remarks() == ["echo bbbbbbb failed: it died"]


@pytest.fixture
def plain():
    return rich.console.Console(file=io.StringIO(), force_terminal=False, width=40)


def test_progress_is_plain_lines_where_there_is_no_terminal(plain):
    shown = progress.Progress(plain, total=5)
    with shown.showing():
        shown.step("Starting steady load")
        shown.pushed("web", "a" * 40)
        shown.phase("building")
        shown.done(GOOD)

    assert plain.file.getvalue().splitlines() == [
        "Starting steady load",
        "Push 1 of 5: web aaaaaaa",
        "  building",
    ]


def test_progress_on_a_terminal_shows_the_table_and_leaves_nothing():
    terminal = rich.console.Console(file=io.StringIO(), force_terminal=True, width=120)
    shown = progress.Progress(terminal, total=5)
    with shown.showing():
        shown.pushed("web", "a" * 40)
        shown.phase("gating")
        seen = printed(shown.render())
        shown.done(GOOD)
        ended = printed(shown.render())

    assert "gating…" in seen
    assert "Push 1 of 5" in seen
    assert "live" in ended
    assert "gating" not in ended
