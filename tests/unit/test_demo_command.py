import contextlib
import json

import click.testing
import pytest

from build_hook.cli import demo as command
from build_hook.demo import report, show, stage, traffic


@pytest.fixture
def run(monkeypatch):
    """Run the command on a stage that is not there, with a report that is made up."""
    ended = []

    @contextlib.contextmanager
    def set_up(step):
        step("Setting up")
        yield
        ended.append(True)

    def with_faults(*faults, arguments=()):
        found = report.Report(
            pushes=(),
            seen=traffic.Window(100, len(faults), 20),
            failures={},
            reopened=0,
            served_broken=False,
            live={},
            faults=faults,
        )
        monkeypatch.setattr(stage, "set_up", set_up)
        monkeypatch.setattr(show.Show, "run", lambda _: found)
        result = click.testing.CliRunner().invoke(command.demo, arguments)
        assert ended == [True]
        return result

    return with_faults


def test_demo_that_went_well_exits_0_with_a_table(run):
    result = run()

    assert result.exit_code == 0
    assert "push-to-live s" in result.stdout


def test_demo_with_a_fault_exits_1_and_names_it(run):
    result = run("web: refused: 1 requests")

    assert result.exit_code == 1
    assert "build-hook: web: refused: 1 requests" in result.stderr
    assert "NOT OK" in result.stdout


def test_json_is_one_object_and_progress_goes_elsewhere(run):
    result = run("a fault", arguments=["--json"])

    assert json.loads(result.stdout)["ok"] is False
    assert result.exit_code == 1
    assert "Setting up" in result.stderr
