"""The copies of the libraries are in step with their source."""

from tools import sync_libs


def test_copies_are_current():
    assert sync_libs.stale() == [], "run python tools/sync_libs.py"


def test_a_copy_that_differs_is_found_and_mended(tmp_path, monkeypatch):
    source = tmp_path / "lib/charms/docker_build_hook/v0/dockerfile.py"
    source.parent.mkdir(parents=True)
    source.write_text("one")
    monkeypatch.setattr(sync_libs, "ROOT", tmp_path)
    monkeypatch.setattr(sync_libs, "SOURCE", tmp_path / "lib")

    assert sync_libs.main(["--check"]) == 1
    assert sync_libs.main([]) == 0
    assert sync_libs.main(["--check"]) == 0
    source.write_text("two")
    assert len(sync_libs.stale()) == len(sync_libs.USERS)
