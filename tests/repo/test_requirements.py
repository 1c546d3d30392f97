"""Dependencies are pinned by version and hash, and come from wherever the user's tools look."""

import re
import tomllib

import pytest

from tests.repo import source

FILES = ("requirements.txt", "requirements-dev.txt", "requirements-tools.txt")
PIN = re.compile(
    r"[a-z0-9][a-z0-9._-]*==[0-9][0-9a-z.+!]*( ; [a-z_ =<>!.'()0-9A-Z-]+)?"
    r"( \\\n    --hash=sha256:[0-9a-f]{64})+\n"
)


def pins(name: str) -> dict[str, str]:
    found = re.findall(r"^([a-z0-9._-]+)==([^ ]+)", source.texts()[name], re.MULTILINE)
    return dict(found)


@pytest.mark.parametrize("name", FILES)
def test_every_line_is_a_pin_with_hashes(name: str):
    assert PIN.sub("", source.texts()[name]) == ""


@pytest.mark.parametrize("name", FILES)
def test_no_address(name: str):
    assert not re.search(r"://|--(extra-)?index-url|--find-links|^-e", source.texts()[name], re.M)


def test_what_runs_is_what_is_tested():
    running, testing = pins("requirements.txt"), pins("requirements-dev.txt")
    both = running.keys() & testing.keys()

    assert {name: running[name] for name in both} == {name: testing[name] for name in both}


def test_every_declared_dependency_is_pinned():
    declared = tomllib.loads(source.texts()["pyproject.toml"])
    running = declared["project"]["dependencies"]
    developing = declared["dependency-groups"]["dev"]

    assert {_name(line) for line in running} <= pins("requirements.txt").keys()
    assert {_name(line) for line in running + developing} <= pins("requirements-dev.txt").keys()


def _name(requirement: str) -> str:
    found = re.match(r"[a-z0-9-]+", requirement)
    assert found
    return found[0]
