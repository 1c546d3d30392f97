"""The page for operators names what there is."""

import pathlib

import pytest

from build_hook import cli, patterns, project
from build_hook.judging import forges

PAGE = (pathlib.Path(__file__).parents[2] / "docs" / "git-hosts.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", forges.NAMES)
def test_names_every_host(name):
    assert f"(`{name}`)" in PAGE


@pytest.mark.parametrize(
    "field",
    ["provider", "allow_sha1", "allow_unsigned", "tags", "paths", "after_ci", "ci", "skip_words"],
)
def test_names_fields_that_are_there(field):
    assert field in PAGE
    assert field in project.Project.model_fields


def test_example_of_a_pattern_is_true():
    assert '`tags: "v*"` follows `v1.2`, not `v1/rc`' in PAGE
    assert patterns.fits("v*", "v1.2")
    assert not patterns.fits("v*", "v1/rc")


def test_options_of_explain_are_there():
    command = cli.group.get_command(None, "explain")  # pyright: ignore[reportArgumentType]

    assert command is not None
    names = {name for option in command.params for name in option.opts}
    assert {"--headers", "--body", "--secret", "--registry", "--at"} <= names
