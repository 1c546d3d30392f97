"""Short forms of the long trials: whatever comes in, a judgement comes out."""

import contextlib
import json

import hypothesis
import pytest
from hypothesis import strategies

from build_hook.judging import forges, judge
from tests import deliveries
from tests.fuzz import door
from tests.fuzz import forges as trial

SIGNED = [one for one in trial.SOURCES if one.covers_body and "form" not in one.id]
INDEX = trial.world()
LEAVES = (
    strategies.none()
    | strategies.booleans()
    | strategies.integers()
    | strategies.floats(allow_nan=False, allow_infinity=False)
    | strategies.text(max_size=30)
    | strategies.sampled_from([one for one in trial.NASTY if isinstance(one, str)])
)
# the words that the readers look for, so that they find something of any type
WORDS = """
    after before ref repository full_name name changes new old target hash push head_commit
    commits id message author project path_with_namespace git_http_url object_kind event_name
    resource refUpdates eventType newObjectId toHash refId type links clone href slug key events
    action push_data repo_name data event_data resources run workflow_run head_sha
    check_suite head_branch app state sha context branches package registry_package package_version
    package_url container_metadata commit_status refname sourceBranch sourceVersion result
    repositories self refName version syncType previous_workspace html_url owner
"""
KEYS = strategies.sampled_from(WORDS.split()) | strategies.text(max_size=8)
JSON = strategies.recursive(
    LEAVES,
    lambda inner: (
        strategies.lists(inner, max_size=4) | strategies.dictionaries(KEYS, inner, max_size=6)
    ),
    max_leaves=30,
)
NAMED = """
    push create ping workflow_run repository package release repo:push repo:refs_changed
    pr:opened diagnostics:ping mirror:repo_synchronized git.push build.complete status check_suite
    registry_package action_run_success repo:commit_status_updated repo:transfer
    ms.vss-pipelines.run-state-changed-event
"""
HOOKS = ("Push Hook", "Tag Push Hook", "System Hook", "Pipeline Hook", "", "\n", "é")
EVENTS = strategies.sampled_from((*NAMED.split(), *HOOKS))
HEADERS = strategies.dictionaries(
    strategies.sampled_from(trial.NAMES), EVENTS | strategies.text(max_size=40), max_size=8
)
QUICK = hypothesis.settings(
    max_examples=300, deadline=None, database=None, derandomize=True, print_blob=True
)


def delivery(headers, body):
    return deliveries.Delivery("made", "", "", headers, body, b"secret", {})


@QUICK
@hypothesis.given(HEADERS, JSON)
def test_any_json_under_any_headers(headers, payload):
    trial.check(delivery(headers, json.dumps(payload).encode()), INDEX, None)


@QUICK
@hypothesis.given(HEADERS, strategies.binary(max_size=200), strategies.sampled_from(["p0", "p4"]))
def test_any_bytes_to_a_project(headers, body, only):
    trial.check(delivery(headers, body), INDEX, only)


@QUICK
@hypothesis.given(strategies.sampled_from(forges.NAMES), EVENTS, JSON)
def test_any_json_from_any_host(name, event, payload):
    headers = {header: event for header in trial.NAMES if header.endswith(("-event", "-key"))}

    with contextlib.suppress(forges.UnreadableError):
        repr(forges.by_name(name).read(headers, payload)).encode()


@QUICK
@hypothesis.given(strategies.sampled_from(SIGNED), strategies.binary(max_size=80))
def test_another_body_under_a_genuine_proof_is_refused(source, body):
    changed = source.body[: -len(body) - 1] + body
    hypothesis.assume(changed != source.body)

    assert source.prove(body=changed).verified is False


def test_spoilt_deliveries():
    tally = trial.run(4_000, seed=7)

    assert tally.faults == []
    assert tally.runs == 4_000
    assert tally.accepted > 400
    assert set(tally.refused) == {400, 401, 404, 415, 422}


def test_a_fault_is_found_and_told(monkeypatch):
    def broken(*_, **__):
        raise KeyError("after")

    monkeypatch.setattr(judge, "judge", broken)

    tally = trial.run(50, seed=1)

    assert tally.runs == len(tally.faults) == 20
    assert tally.faults[0].startswith("run 1/0 ")
    assert tally.faults[0].endswith("KeyError('after')")


def test_the_command_exits_1_on_a_fault(monkeypatch, capsys):
    monkeypatch.setattr(trial, "run", lambda *_: trial.Tally(runs=1, faults=["run 1/0"]))
    monkeypatch.setattr("sys.argv", ["forges", "--runs", "1", "--json"])

    with pytest.raises(SystemExit) as caught:
        trial.main()

    assert caught.value.code == 1
    assert json.loads(capsys.readouterr().out)["faults"] == ["run 1/0"]


def test_spoilt_deliveries_through_the_whole_application():
    tally = door.Trial(seed=7).run(3_000)

    assert tally.faults == []
    assert tally.runs == sum(tally.answers.values()) == 3_000
    assert tally.grown < door.MEMORY_MB
    assert set(tally.answers) >= {200, 202, 400, 401, 404, 405, 415, 422}


def test_a_fault_of_the_application_is_found_and_told(monkeypatch):
    def broken(*_, **__):
        raise KeyError("after")

    monkeypatch.setattr(judge, "judge", broken)

    faults = door.Trial(seed=7).run(200).faults

    assert any("(500, " in fault for fault in faults)
    assert any("KeyError('after')" in fault or "event=fault" in fault for fault in faults)
