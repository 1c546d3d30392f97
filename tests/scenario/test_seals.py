"""When a packed charm is packed again."""

import pytest

from tools import seals

FILES = [
    "charmcraft.yaml", "src/charm.py", "tests/x.py", "docs/y.md", "charms/docker/src/charm.py",
    "charms/dockerfile/src/charm.py", "tools/pack.py",
]  # fmt: skip


def test_a_charm_is_made_of_its_own_files_and_by_the_tools():
    assert seals.ingredients("charms/docker", FILES) == [
        "charms/docker/src/charm.py", "tools/pack.py",
    ]  # fmt: skip
    assert seals.ingredients(".", FILES) == ["charmcraft.yaml", "src/charm.py", "tools/pack.py"]


@pytest.fixture
def sealed(tmp_path):
    """A packed charm with a note of what it was made of, and a function that looks again."""
    (tmp_path / "charm.py").write_text("1")
    packed, note = tmp_path / "x.charm", tmp_path / "x.seal"
    packed.write_text("packed")
    seals.put(note, packed, seals.seal(tmp_path, ["charm.py"], "python3.12"))

    def is_current(files=("charm.py",), python="python3.12"):
        return seals.is_current(note, packed, seals.seal(tmp_path, files, python))

    return tmp_path, is_current


def test_what_has_not_changed_is_current(sealed):
    _, is_current = sealed

    assert is_current()


@pytest.mark.parametrize("change", ["content", "mode", "python", "more", "packed", "gone", "note"])
def test_what_has_changed_is_not(sealed, change):
    folder, is_current = sealed
    files, python = ["charm.py"], "python3.12"
    if change == "content":
        (folder / "charm.py").write_text("2")
    if change == "mode":
        (folder / "charm.py").chmod(0o755)
    if change == "python":
        python = "python3.11"
    if change == "more":
        (folder / "more.py").write_text("")
        files.append("more.py")
    if change == "packed":
        (folder / "x.charm").write_text("another")
    if change in ("gone", "note"):
        (folder / {"gone": "x.charm", "note": "x.seal"}[change]).unlink()

    assert not is_current(files, python)
