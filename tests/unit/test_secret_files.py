import os

import pytest

from build_hook import secret_files


@pytest.fixture
def files(tmp_path):
    return secret_files.SecretFiles(tmp_path, interval=0)


def test_value_has_no_line_end(tmp_path, files):
    (tmp_path / "shop").write_bytes(b"hunter 2\n")

    assert files.read("shop") == b"hunter 2"


def test_missing_and_empty_are_none(tmp_path, files):
    (tmp_path / "empty").write_bytes(b"\n")

    assert files.read("empty") is None
    assert files.read("missing") is None


@pytest.mark.parametrize("name", ["../shop", "/etc/passwd", "", ".hidden", "a/b", "a\x00b"])
def test_names_never_leave_the_folder(tmp_path, name):
    (tmp_path / "shop").write_bytes(b"secret")
    inner = tmp_path / "inner"
    inner.mkdir()

    assert secret_files.SecretFiles(inner).read(name) is None


def test_change_and_removal_are_seen(tmp_path, files):
    path = tmp_path / "shop"
    path.write_bytes(b"old")
    files.read("shop")
    path.write_bytes(b"newer")
    assert files.read("shop") == b"newer"
    path.unlink()
    assert files.read("shop") is None


def test_unchanged_file_is_not_read_again(tmp_path, files):
    path = tmp_path / "shop"
    path.write_bytes(b"same")
    stat = path.stat()
    files.read("shop")
    path.write_bytes(b"diff")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    assert files.read("shop") == b"same"


def test_file_is_looked_at_once_in_an_interval(tmp_path):
    now = [0.0]
    files = secret_files.SecretFiles(tmp_path, interval=0.5, clock=lambda: now[0])
    assert files.read("shop") is None
    (tmp_path / "shop").write_bytes(b"new")

    now[0] = 0.4
    assert files.read("shop") is None
    now[0] = 0.5
    assert files.read("shop") == b"new"


@pytest.mark.parametrize("user", [0, 1234])
def test_what_root_writes_belongs_to_the_folders_owner(tmp_path, monkeypatch, user):
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(os, "fchown", lambda _, uid, gid: given.append((uid, gid)))

    secret_files.write(tmp_path / "key", b"x")

    owner = tmp_path.stat()
    assert given == ([(owner.st_uid, owner.st_gid)] if user == 0 else [])
