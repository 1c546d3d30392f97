"""The page of evidence says truly which test is the short form of which long trial."""

import ast
import posixpath
import re

import pytest

from tests.repo import source

PAGE = "docs/evidence/README.md"
ROW = re.compile(r"^\| `([a-z0-9]+)` \| [^|]+ \| \[[^\]]+\]\(([^)]+)\) \| (.+) \|$", re.MULTILINE)
ROWS = {
    name: (posixpath.normpath(f"docs/evidence/{page}"), re.findall(r"`(tests/[^`]+)`", cell))
    for name, page, cell in ROW.findall(source.texts()[PAGE])
}
DEV = source.texts()["dev"]


def imported(test: str) -> set[str]:
    """The modules that a file imports, by their whole names."""
    return {
        f"{node.module}.{alias.name}"
        for node in ast.walk(source.trees()[test])
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_page_has_every_trial_that_soak_runs_in_its_order():
    found = re.search(r"for trial in ([a-z0-9 ]+); do", DEV)

    assert found
    assert list(ROWS) == found[1].split()


@pytest.mark.parametrize("name", ROWS)
def test_trial_writes_the_page_that_its_row_names(name: str):
    elsewhere = dict(re.findall(r"^ +([a-z0-9]+)\) page=(\S+) ;;", DEV, re.MULTILINE))

    assert ROWS[name][0] == elsewhere.get(name, f"docs/evidence/{name}.md")


@pytest.mark.parametrize("name", ROWS)
def test_short_form_runs_what_the_trial_runs(name: str):
    """It imports the trial itself, or the parts that the trial and other tests share."""
    same = {f"tests.{folder}.{name}" for folder in ("soak", "fuzz", "functional")}

    assert ROWS[name][1]
    for test in ROWS[name][1]:
        assert "\ndef test_" in source.texts()[test]
        assert imported(test) & same, f"{test} has nothing of {name}"
