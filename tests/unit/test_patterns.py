"""Patterns: what a star stands for, and that no text can slow them down."""

import time

import pytest

from build_hook import patterns, project


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("main", "main", True),
        ("main", "Main", False),
        ("main", "main2", False),
        ("release/*", "release/1", True),
        ("release/*", "release/1/2", False),
        ("release/**", "release/1/2", True),
        ("**/fix", "a/b/fix", True),
        ("v?", "v1", True),
        ("v?", "v/", False),
        ("v?", "v10", False),
        ("v[0-9]*", "v1.2", True),
        ("v[!0-9]*", "v1.2", False),
        ("v[!0-9]*", "vx", True),
        ("a[!b]c", "a/c", False),
        ("v1.*", "v1.2", True),
        ("v1.*", "v12", False),
        ("[", "[", True),
        ("a[", "a[", True),
        ("[]", "[]", True),
        ("(*)", "(x)", True),
        (r"[\d]", "5", False),
        ("[a&&b]", "&", True),
        ("[^a]", "^", True),
        ("*", "new\nline", True),
    ],
)
def test_pattern(pattern, text, fits):
    assert patterns.fits(pattern, text) is fits


def test_a_pattern_that_backtracks_stays_fast():
    started = time.perf_counter()

    assert not patterns.fits("*a*a*a*a*b", "a" * 250)
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize("field", ["tags", "paths"])
def test_the_registry_refuses_a_set_that_makes_no_sense(field):
    given = "[z-a]" if field == "tags" else ["ok/**", "[z-a]"]

    with pytest.raises(ValueError, match="is not a pattern: bad character range"):
        project.Project.model_validate(
            {"name": "shop", "repository": "https://git.example/a/b", field: given}
        )
