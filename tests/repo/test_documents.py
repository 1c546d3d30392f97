"""The documents say what the code does."""

import collections
import inspect
import re

import pytest

from build_hook import errors
from docs import generate
from tests.repo import source

DOCUMENTS = sorted(name for name in source.texts() if name.endswith(".md"))


@pytest.mark.parametrize("name", sorted(generate.pages()))
def test_generated_file_is_current(name: str):
    assert source.texts()[name] == generate.pages()[name], "run ./dev docs and ./dev schema"


def test_every_knob_and_field_says_what_it_is_for():
    tables = (
        generate.pages()["docs/reference/settings.md"],
        generate.pages()["docs/reference/registry.md"],
    )
    rows = [line for table in tables for line in table.splitlines() if line.startswith("| `")]

    assert len(rows) > 20
    assert [row for row in rows if re.search(r"\| +\|$", row)] == []


def test_architecture_names_every_module():
    text = source.texts()["ARCHITECTURE.md"]
    rooms = {
        name.removeprefix("src/build_hook/") for name in source.trees() if name.startswith("src/")
    }

    unnamed = {
        room for room in rooms if not room.endswith("__init__.py") and f"`{room}`" not in text
    }
    assert unnamed == set()


def test_architecture_names_no_module_that_is_gone():
    named = re.findall(r"^\| `([a-z_/]+\.py)`", source.texts()["ARCHITECTURE.md"], re.MULTILINE)

    assert named
    assert {f"src/build_hook/{room}" for room in named if not room.startswith("src/")} | {
        room for room in named if room.startswith("src/")
    } <= source.trees().keys()


def test_list_of_all_rooms_names_each_once():
    rooms = source.texts()["ARCHITECTURE.md"].partition("## All rooms")[2]
    named = re.findall(r"^\| `([^`]+)`", rooms, re.MULTILINE)
    headings = re.findall(r"^### (.+)", rooms, re.MULTILINE)

    assert len(named) > 50
    assert [
        name for name, count in collections.Counter(named + headings).items() if count > 1
    ] == []


def test_every_error_is_explained():
    names = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and value is not errors.BuildHookError
    }

    assert {name for name in names if f"`{name}`" not in source.texts()["docs/errors.md"]} == set()


def test_every_decision_is_listed():
    pages = {path.name for path in (source.ROOT / "docs" / "adr").glob("0*.md")}

    listed = re.findall(r"\((0[^)]+)\)", source.texts()["docs/adr/README.md"])

    assert set(listed) == pages
    assert listed == sorted(listed)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str):
    folder = (source.ROOT / name).parent
    prose = re.sub(r"`[^`]*`", "", source.texts()[name])
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", prose)

    assert [target for target in targets if not (folder / target).exists()] == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_verbs_in_documents_exist(name: str):
    verbs = set(re.findall(r"\./dev ([a-z0-9]+)", source.texts()[name]))

    assert verbs <= set(re.findall(r"^#verb ([a-z0-9]+) ", source.texts()["dev"], re.MULTILINE))
