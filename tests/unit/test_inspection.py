"""What a container is by the engine's list, beside what it is by a look at it alone."""

import pytest

from build_hook import labels
from build_hook.deploy import inspection

NETWORK = "build-hook-i"
NAMED = {labels.PROJECT: "shop", labels.BUILD: "7", labels.COMMIT: "c", labels.REPLICA: "2"}


def entry(networks, state="running"):
    """A row of the engine's list."""
    return {
        "Id": "id-1",
        "Names": ["/shop-7"],
        "Labels": NAMED,
        "State": state,
        "Created": 1_700_000_000,
        "NetworkSettings": {"Networks": networks},
    }


def inspected(networks):
    """The same container as the engine shows it alone."""
    return {
        "Id": "id-1",
        "Name": "/shop-7",
        "Image": "sha256:1",
        "RestartCount": 0,
        "Config": {"Labels": NAMED},
        "State": {
            "Status": "running", "ExitCode": 0, "OOMKilled": False, "Pid": 4711,
            "StartedAt": "2023-11-14T22:13:20Z",
        },
        "NetworkSettings": {"Networks": networks},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("networks", "address"),
    [
        ({NETWORK: {"IPAddress": "10.0.0.2"}}, "10.0.0.2"),
        ({"host": {"IPAddress": ""}}, "127.0.0.1"),
        ({NETWORK: {"IPAddress": ""}}, None),
        ({"other": {"IPAddress": "10.0.1.2"}}, None),
    ],
)
def test_list_and_look_find_the_same_address(networks, address):
    listed = inspection.listed(entry(networks), NETWORK)
    read = inspection.read(inspected(networks), NETWORK)

    assert listed.address == read.address == address
    assert (listed.unit, listed.build, listed.replica) == (read.unit, read.build, read.replica)
    assert listed.addresses == read.addresses


def test_one_that_does_not_run_has_no_address():
    assert inspection.listed(entry({"host": {}}, "exited"), NETWORK).addresses == ()
