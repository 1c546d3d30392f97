"""What several processes that share the tests of one run have to know.

Tests that are marked ``alone`` compare times or memory: the others wait meanwhile. And what takes
long begins first, so that no process is left alone with it at the end.
"""

import pathlib
from collections.abc import Generator

import pytest

from tests import turns

_LONG = ("tests/functional/", "tests/end_to_end/")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if shared_folder(config) is not None:
        items.sort(key=lambda item: not item.nodeid.startswith(_LONG))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    folder = shared_folder(item.config)
    if folder is None:
        return (yield)
    with turns.turn(folder, alone=item.get_closest_marker("alone") is not None):
        return (yield)


def shared_folder(config: pytest.Config) -> pathlib.Path | None:
    """What the processes of one run have in common; None if there is but one."""
    if not hasattr(config, "workerinput"):
        return None
    return pathlib.Path(config.option.basetemp).parent
