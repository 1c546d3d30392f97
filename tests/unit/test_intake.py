import pytest

from build_hook import errors
from build_hook.deploy import intake


def test_size_counts_all_files_and_follows_no_link(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "a").write_bytes(b"x" * 1000)
    (tmp_path / "below/b").write_bytes(b"x" * 500)
    (tmp_path / "link").symlink_to("/bin/sh")

    assert 1500 < intake.size(tmp_path) < 1600


def test_commit_that_is_too_large_is_refused():
    intake.require_small(2**20, 1)

    with pytest.raises(errors.LimitError, match=r"hold 3 MiB, more than 1.*build_context_mb"):
        intake.require_small(3 * 2**20, 1)
