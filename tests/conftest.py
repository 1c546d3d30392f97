"""Tests that are marked ``alone`` compare times or memory: the other process waits meanwhile."""

import pathlib
from collections.abc import Generator

import pytest

from tests import turns


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
