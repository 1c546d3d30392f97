import os
import pathlib

import pytest

from build_hook.deploy import buildlog, log_folder

DAY = 86_400


@pytest.fixture
def folder(tmp_path):
    """Four logs of 1000 bytes; that of build 4 was written to on day 4, and so on."""
    for build in (1, 2, 3, 4):
        file = buildlog.path(tmp_path, build)
        file.write_bytes(b"x" * 1000)
        os.utime(file, (build * DAY, build * DAY))
    (tmp_path / "serve.log").write_text("not a build's", encoding="utf-8")
    return tmp_path


def left(folder):
    return sorted(file.name for file in folder.iterdir())


@pytest.mark.parametrize(
    ("before", "most", "keep", "kept"),
    [
        (0, 10**6, (), "1234"),
        (2.5 * DAY, 10**6, (), "34"),
        (0, 2999, (), "34"),
        (0, 3000, (), "234"),
        (3.5 * DAY, 2999, (), "4"),
        (2.5 * DAY, 10**6, (1,), "134"),
        (0, 2000, (2,), "24"),
    ],
)
def test_oldest_go_first_and_what_runs_stays(folder, before, most, keep, kept):
    gone = log_folder.forget_old(folder, before=before, most_bytes=most, keep=keep)

    assert left(folder) == [*(f"{n}.log" for n in kept), "serve.log"]
    assert sum(log.size for log in gone) == 1000 * (4 - len(kept))


def test_log_that_goes_meanwhile_is_no_matter(folder, monkeypatch):
    listed = pathlib.Path.glob
    monkeypatch.setattr(
        pathlib.Path, "glob", lambda self, pattern: [*listed(self, pattern), self / "9.log"]
    )

    log_folder.forget_old(folder, before=2.5 * DAY, most_bytes=10**6, keep=())

    assert left(folder) == ["3.log", "4.log", "serve.log"]
