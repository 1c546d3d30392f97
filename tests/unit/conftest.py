"""What many tests begin with: the settings of an empty state folder, and its builds."""

import pytest

from build_hook import settings
from build_hook.store import builds


@pytest.fixture
def config(tmp_path):
    return settings.load(tmp_path / "state", {})


@pytest.fixture
def store(config):
    made = builds.Builds(config.database)
    yield made
    made.close()
