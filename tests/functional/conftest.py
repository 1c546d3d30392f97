"""Parts that the functional tests share."""

import pytest

from tests.functional import host as hosts


@pytest.fixture(scope="session")
def base():
    """The image below the applications."""
    with hosts.base_image() as tag:
        yield tag


@pytest.fixture(scope="session")
def host(base):
    """A host that serves all the while; every test makes projects of its own."""
    with hosts.serving(base, reconcile_interval=3600, min_free_mb=10, concurrency=4) as made:
        yield made
