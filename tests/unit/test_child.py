"""What keeps the processes alive must not end with one of them."""

import contextlib
import errno

import pytest

from build_hook import child as children


@pytest.fixture
def child(tmp_path):
    """Makes a child that sleeps; its pid file is in a folder that may not be there."""
    made = []

    def make(folder, argv=lambda: ("sleep", "60")):
        made.append(children.Child("sleeper", argv, folder, None))
        return made[-1]

    yield make
    for one in made:
        one.stop()
        with contextlib.suppress(FileNotFoundError):
            one.wait(10)


def runs(child):
    return child._process is not None and child._process.poll() is None


def test_process_whose_pid_cannot_be_written_down_runs(child, tmp_path, capsys):
    one = child(tmp_path / "gone")

    one.keep()
    one.keep()

    assert runs(one)
    assert capsys.readouterr().err.count("does not name process") == 1


def test_process_that_cannot_be_started_is_tried_again(child, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(children, "_SLOWEST", 0.0)
    faults = [OSError(errno.ENOSPC, "No space left on device")]

    def argv():
        if faults:
            raise faults.pop()
        return ("sleep", "60")

    one = child(tmp_path, argv)

    one.keep()
    assert not runs(one)
    one.keep()

    assert runs(one)
    assert "sleeper could not be started yet" in capsys.readouterr().err


def test_process_that_was_inherited_is_kept_and_ended(child, tmp_path):
    first = child(tmp_path)
    first.keep()
    heir = child(tmp_path)

    heir.inherit(first.pid)
    heir.keep()

    assert heir.pid == first.pid
    heir.stop()
    heir.wait(10)
    assert heir.pid is None


def test_complaint_that_nobody_can_write_down_is_none(monkeypatch):
    def echo(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(children.click, "echo", echo)

    children.say("the disk is full")
