"""Files and functions stay readable."""

import ast

import pytest

from tests.repo import source

LONGEST_FILE = 250
LONGEST_FUNCTION = 40
OURS = sorted(name for name in source.trees() if name.startswith("src/"))


def docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (ast.get_docstring(node, clean=False) or "").count("\n") + 1


@pytest.mark.parametrize("name", OURS)
def test_file_is_short(name: str):
    assert len(source.texts()[name].splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("name", OURS)
def test_functions_are_short(name: str):
    lengths = {
        node.name: (node.end_lineno or node.lineno) - node.lineno + 1 - docstring_lines(node)
        for node in ast.walk(source.trees()[name])
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION} == {}


@pytest.mark.parametrize("name", OURS)
def test_what_is_public_says_what_it_does(name: str):
    public = [
        node
        for node in [source.trees()[name], *source.trees()[name].body]
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
        and not getattr(node, "name", "").startswith("_")
    ]

    assert [getattr(node, "name", name) for node in public if not ast.get_docstring(node)] == []
