"""The page for operators names what there is."""

import pathlib
import re

import pytest

from build_hook import cli, patterns, project
from build_hook.judging import forges

ROOT = pathlib.Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "git-hosts.md").read_text(encoding="utf-8")
FACTS = (ROOT / "docs" / "deliveries.md").read_text(encoding="utf-8")
READERS = "".join(
    path.read_text(encoding="utf-8").lower()
    for path in (ROOT / "src" / "build_hook" / "judging").rglob("*.py")
)


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


@pytest.mark.parametrize("header", sorted(set(re.findall(r"`(X-[A-Za-z0-9-]+)`", FACTS))))
def test_headers_of_the_facts_are_looked_at(header):
    own = re.fullmatch(r"X-(?:Forgejo|Gitea|Gogs)-(Event|Delivery|Signature)", header)
    unread = {"X-Attempt-Number"}  # said to stay apart from the id

    looked_at = header.lower() in READERS or (own and f"}}{own[1].lower()}" in READERS)

    assert bool(looked_at) is (header not in unread)


@pytest.mark.parametrize("field", re.findall(r"`([a-zA-Z]+_?[a-zA-Z_]+)`", FACTS))
def test_fields_of_the_facts_are_looked_at(field):
    ours = {"checkout_sha"}  # told for what it is not

    assert (field.lower() in READERS) is (field not in ours)
