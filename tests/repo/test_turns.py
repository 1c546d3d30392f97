"""Tests that want to be alone are."""

import pathlib
import threading

import pytest

from tests import turns


class Other(threading.Thread):
    """Another process's test: flock tells descriptors apart, so a thread is as good."""

    def __init__(self, folder: pathlib.Path, *, alone: bool) -> None:
        super().__init__(daemon=True)
        self.folder, self.alone = folder, alone
        self.began, self.end = threading.Event(), threading.Event()
        self.start()

    def run(self) -> None:
        with turns.turn(self.folder, alone=self.alone):
            self.began.set()
            self.end.wait(10)


@pytest.mark.parametrize(
    ("ours", "theirs", "side_by_side"),
    [(False, False, True), (True, False, False), (False, True, False), (True, True, False)],
)
def test_alone_keeps_others_out(
    tmp_path: pathlib.Path, ours: bool, theirs: bool, side_by_side: bool
):
    with turns.turn(tmp_path, alone=ours):
        other = Other(tmp_path, alone=theirs)
        assert other.began.wait(5 if side_by_side else 0.1) is side_by_side
    assert other.began.wait(5)
    other.end.set()
    other.join(5)


def test_one_that_waits_to_be_alone_is_not_overtaken(tmp_path: pathlib.Path):
    with turns.turn(tmp_path, alone=False):
        waiting = Other(tmp_path, alone=True)
        assert not waiting.began.wait(0.1)
        late = Other(tmp_path, alone=False)
        assert not late.began.wait(0.1)
    assert waiting.began.wait(5)
    assert not late.began.is_set()
    waiting.end.set()
    assert late.began.wait(5)
    late.end.set()
