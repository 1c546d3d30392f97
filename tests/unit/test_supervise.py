"""What keeps the processes alive must not end with one of them."""

import contextlib
import errno

import pytest

from build_hook import supervise


@pytest.fixture
def child(tmp_path):
    """Makes a child that sleeps; its pid file is in a folder that may not be there."""
    made = []

    def make(folder, argv=lambda: ("sleep", "60")):
        made.append(supervise.Child("sleeper", argv, folder, None))
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
    monkeypatch.setattr(supervise, "_SLOWEST", 0.0)
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


def test_complaint_that_nobody_can_write_down_is_none(monkeypatch):
    def echo(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(supervise.click, "echo", echo)

    supervise._say("the disk is full")
