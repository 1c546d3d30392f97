"""The one entry point."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

from tests.repo import source


def run(*arguments: str, path: pathlib.Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(source.ROOT / "dev"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": str(path or os.environ["PATH"])},
    )


def _program(path: pathlib.Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def test_lists_every_verb_with_what_it_does():
    functions = set(re.findall(r"^verb_([a-z0-9]+)\(\)", source.texts()["dev"], re.MULTILINE))

    listed = re.findall(r"^  ([a-z0-9]+) +\w.+$", run().stdout, re.MULTILINE)

    assert set(listed) == functions
    assert len(listed) == len(functions)


@pytest.mark.parametrize("verb", ["nonsense", "../x", "Demo", "verb_demo", "a;ls"])
def test_a_verb_that_is_not_there_is_refused(verb: str):
    result = run(verb)

    assert result.returncode == 1
    assert "./dev lists them" in result.stderr


@pytest.fixture
def bare(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder of programs for a user who is not root, without git."""
    for name in ("sh", "dirname", "grep", "head", "sed"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    _program(tmp_path / "id", "echo 1000")
    return tmp_path


def test_without_root_it_says_what_is_missing_and_what_to_do(bare: pathlib.Path):
    _program(bare / "apt-get", "exit 1")

    result = run("setup", path=bare)

    assert result.returncode == 1
    assert re.search(r"missing:.* git .*Run once as root: /.*/dev setup", result.stderr)


def test_on_another_system_it_says_what_is_missing(bare: pathlib.Path):
    result = run("setup", path=bare)

    assert result.returncode == 1
    assert re.search(r"missing:.* git .*neither Debian nor Ubuntu", result.stderr)


def test_readme_begins_with_its_two_commands():
    commands = re.findall(r"^ *(\./dev .+?) *(?:#.*)?$", source.texts()["README.md"], re.MULTILINE)

    assert commands[:2] == ["./dev demo", "./dev test"]


def test_is_plain_posix_shell():
    assert source.texts()["dev"].startswith("#!/bin/sh\n")
    assert not re.search(r"\[\[|^ *(local|function|source) |<<<|&>", source.texts()["dev"], re.M)


def test_ci_needs_no_terminal_and_stops_what_it_started():
    text = source.texts()[".ci/run"]

    assert "exec </dev/null" in text
    assert "trap 'wait; ./dev stop' EXIT" in text
