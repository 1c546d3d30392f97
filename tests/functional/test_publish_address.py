"""The addresses that the proxy listens on, of both kinds."""

import contextlib
import socket

import pytest

from build_hook import errors
from build_hook.demo import product
from build_hook.deploy import meter
from tests.functional import stage as stages


def answers(address: str, port: int) -> bool:
    """Whether there is somebody."""
    try:
        with socket.create_connection((address, port), 5) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return connection.recv(100).startswith(b"HTTP/1.1 200")
    except ConnectionRefusedError:
        return False


@pytest.mark.parametrize(
    ("address", "reached"),
    [("::", {"127.0.0.1", "::1"}), ("::1", {"::1"}), ("0.0.0.0", {"127.0.0.1"})],
)
def test_published_where_the_setting_says_also_after_a_restart(address, reached):
    port = product.free_port()
    with stages.running(publish_address=address) as stage:
        stage.add("shop", {"published": port})
        assert {at for at in ("127.0.0.1", "::1") if answers(at, port)} == reached
        assert stage.front.problems == {}

        stage.stop()
        stage.start()
        assert {at for at in ("127.0.0.1", "::1") if answers(at, port)} == reached
        asked = meter.of(stage.projects["shop"], stage.settings)
        assert asked
        assert asked._probe()


@pytest.mark.parametrize("stranger", ["0.0.0.0", "::"])
def test_a_stranger_of_either_kind_is_seen(stranger):
    with stages.running(publish_address="::") as stage, contextlib.ExitStack() as stack:
        family = socket.AF_INET6 if ":" in stranger else socket.AF_INET
        other = stack.enter_context(socket.create_server((stranger, 0), family=family))
        port = other.getsockname()[1]
        stage.add("shop", {"published": port}, live=False)

        with pytest.raises(errors.PortTakenError, match=f"Port {port} is used by another"):
            stage.front.require(stage.projects["shop"])
