"""Parts that the functional tests share."""

import pytest

from build_hook import settings
from build_hook.demo import gitserver, workcopy
from build_hook.deploy import checkout
from tests.functional import host as hosts


@pytest.fixture(scope="session")
def base():
    """The image below the applications."""
    with hosts.base_image() as tag:
        yield tag


@pytest.fixture(scope="session")
def lasting(base):
    with hosts.serving(base, reconcile_interval=3600, min_free_mb=10, concurrency=4) as made:
        yield made


@pytest.fixture(scope="module")
def host(lasting):
    """A host that serves all the while; every test makes projects of its own.

    They go with their file: what they run takes from the processors.
    """
    yield lasting
    lasting.empty()


# What tests of git share: a git host with one repository, and an empty state folder.


@pytest.fixture
def forge(tmp_path):
    (tmp_path / "git").mkdir()
    with gitserver.GitServer(tmp_path / "git", lambda moved: None) as server:
        yield server


@pytest.fixture
def copy(tmp_path, forge):
    """A developer's copy of the repository shop, pushed once."""
    made = workcopy.WorkCopy(tmp_path / "copy", forge.create("shop"), forge.authorization)
    made.write("Dockerfile", "FROM scratch\n")
    made.commit("First")
    made.push()
    return made


@pytest.fixture
def push(copy):
    """Changes a file of shop and pushes it; the commit."""

    def change(name="a.txt", text="x"):
        copy.write(name, text)
        commit = copy.commit(f"Change {name}\n\nand why")
        copy.push()
        return commit

    return change


@pytest.fixture
def options(tmp_path):
    """The settings of an empty state folder."""
    return settings.load(tmp_path / "state", {})


@pytest.fixture
def repositories(options):
    return checkout.Repositories(options)
