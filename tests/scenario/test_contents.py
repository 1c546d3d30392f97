"""What is checked of a packed charm."""

import zipfile

import pytest

from tools import contents

TRACKED = ["metadata.yaml", "dispatch", "src/charm.py", "lib/a.py", "tests/test_a.py", "README.md"]
PACKAGE = "venv/lib/python3.12/site-packages/ops-3.9.0.dist-info/METADATA"
GOOD = {
    "metadata.yaml": 0o644,
    "manifest.yaml": 0o644,
    "dispatch": 0o755,
    "src/charm.py": 0o755,
    "lib/a.py": 0o644,
    "src/__pycache__/charm.cpython-312.pyc": 0o644,
    "lib/__pycache__/a.cpython-312.pyc": 0o644,
    "venv/pyvenv.cfg": 0o644,
    PACKAGE: 0o644,
}


def faults(tmp_path, members, compiled=b"MAGC\3\0\0\0"):
    (tmp_path / "requirements.txt").write_text(
        "ops==3.9.0 \\\n    --hash=x\npywin32==1 ; sys_platform == 'win32' \\\n    --hash=x\n"
    )
    with zipfile.ZipFile(tmp_path / "x.charm", "w") as charm:
        for name, mode in members.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            charm.writestr(entry, compiled if name.endswith(".pyc") else "")
    return contents.faults(tmp_path / "x.charm", tmp_path, TRACKED)


def test_what_should_be_there(tmp_path):
    assert faults(tmp_path, GOOD) == []


@pytest.mark.parametrize("name", [name for name in GOOD if "venv" not in name])
def test_missing(tmp_path, name):
    assert f"{name} is missing" in faults(tmp_path, {k: v for k, v in GOOD.items() if k != name})


@pytest.mark.parametrize("name", ["README.md", "tests/test_a.py", "src/b.pyc", "venv/bin/python"])
def test_too_much(tmp_path, name):
    assert faults(tmp_path, {**GOOD, name: 0o644}) == [f"{name} has no business there"]


@pytest.mark.parametrize("name", ["dispatch", "src/charm.py"])
def test_not_executable(tmp_path, name):
    assert faults(tmp_path, {**GOOD, name: 0o644}) == [f"{name} is not executable"]


def test_bytecode_that_is_stale_once_unpacked(tmp_path):
    by_time = b"MAGC" + bytes(12)

    assert faults(tmp_path, GOOD, by_time) == [
        "lib/__pycache__/a.cpython-312.pyc is stale once it is unpacked",
        "src/__pycache__/charm.cpython-312.pyc is stale once it is unpacked",
    ]


def test_packages(tmp_path):
    members = {k: v for k, v in GOOD.items() if k != PACKAGE}
    members[PACKAGE.replace("ops-3.9.0", "spam-1")] = 0o644

    assert faults(tmp_path, members) == [
        "package ops is missing",
        "package spam was not asked for",
    ]
