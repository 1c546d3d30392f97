"""The one entry point."""

import re
import subprocess

import pytest

from tests.repo import source


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(source.ROOT / "dev"), *arguments], capture_output=True, text=True, check=False
    )


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


def test_readme_begins_with_its_two_commands():
    commands = re.findall(r"^ *(\./dev .+?) *(?:#.*)?$", source.texts()["README.md"], re.MULTILINE)

    assert commands[:2] == ["./dev demo", "./dev test"]


def test_is_plain_posix_shell():
    assert source.texts()["dev"].startswith("#!/bin/sh\n")
    assert not re.search(r"\[\[|^ *(local|function|source) |<<<|&>", source.texts()["dev"], re.M)


def test_ci_needs_no_terminal_and_stops_what_it_started():
    text = source.texts()[".ci/run"]

    assert "exec </dev/null" in text
    assert "trap './dev stop' EXIT" in text
