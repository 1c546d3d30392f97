"""What an operator is told to do when the engine refuses."""

import docker.errors
import pytest

from build_hook import errors
from build_hook.deploy import engine


@pytest.mark.parametrize(
    ("said", "todo"),
    [
        (
            "could not find an available, non-overlapping IPv4 address pool among the defaults to "
            "assign to the network",
            "default-address-pools",
        ),
        ("invalid volume specification", "Correct the project's run settings"),
    ],
)
def test_refusal_comes_with_what_to_do(said, todo):
    docker_engine = engine.Engine("unix:///nowhere.sock", "0")

    with pytest.raises(errors.ContainerError) as caught, docker_engine.speaking("make it"):
        raise docker.errors.APIError("500 Server Error", explanation=said)

    assert caught.value.message == f"The engine could not make it: {said}"
    assert todo in caught.value.hint
