import pathlib

import pytest

from build_hook.deploy import buildlog


@pytest.fixture
def read(tmp_path):
    return lambda: (tmp_path / "1.log").read_text(encoding="utf-8")


def opened(tmp_path, limit=1000):
    return buildlog.BuildLog(buildlog.path(tmp_path, 1), limit)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://evil.example\x1b\\link", "link"),
        ("over\rwritten", "overwritten"),
        ("bell\x07 null\x00 delete\x7f", "bell null delete"),
        ("tab\tstays", "tab\tstays"),
        ("half \ud800 a pair", "half ? a pair"),
        ("grüße", "grüße"),
    ],
)
def test_line_is_free_of_control_sequences(tmp_path, read, said, kept):
    log = opened(tmp_path)

    log(said)
    log.close()

    assert read() == f"{kept}\n"


def test_log_is_bounded_and_says_so_once(tmp_path, read):
    log = opened(tmp_path, 50)

    for number in range(100):
        log(f"line {number}")
    log.close()

    assert read().count("[the log is longer than its limit, the rest is not kept]") == 1
    assert len(read()) < 130


def test_bound_counts_what_an_earlier_try_wrote(tmp_path, read):
    for _ in range(3):
        log = opened(tmp_path, 50)
        for number in range(100):
            log(f"line {number}")
        log.close()

    assert len(read()) < 130


def test_full_disk_stops_nobody():
    log = buildlog.BuildLog(pathlib.Path("/dev/full"), 1000)

    log("this cannot be kept")
    log.headline("nor this")
    log.close()
