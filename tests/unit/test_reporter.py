"""How the worker is, is said once, and never the end of the worker."""

import logging

import pytest

from build_hook.deploy import condition, reporter

BAD = condition.Condition(registry="The registry cannot be read")


def test_what_an_earlier_worker_said_counts_no_more(tmp_path):
    condition.write(tmp_path, BAD)

    reporter.Reporter(tmp_path).say(condition.Condition())

    assert condition.read(tmp_path) == condition.Condition()


def test_file_changes_only_with_what_it_says(tmp_path):
    of = reporter.Reporter(tmp_path)
    of.say(BAD)
    condition.path(tmp_path).unlink()

    of.say(BAD)

    assert not condition.path(tmp_path).exists()


def test_problem_is_logged_when_it_is_new(tmp_path, caplog):
    of = reporter.Reporter(tmp_path)

    with caplog.at_level(logging.ERROR):
        for now in (BAD, BAD.model_copy(update={"ended": 7}), condition.Condition(), BAD):
            of.say(now)

    assert [record.message for record in caplog.records] == [BAD.registry] * 2


@pytest.mark.parametrize("tries", [1, 3])
def test_full_disk_is_survived_and_it_is_written_once_there_is_room(tmp_path, caplog, tries):
    run = tmp_path / "gone"
    of = reporter.Reporter(run)

    for _ in range(tries):
        of.say(BAD)
    run.mkdir()
    of.say(BAD)

    assert condition.read(run) == BAD
    assert sum("cannot be written" in record.message for record in caplog.records) == 1
