import os
import socket

import pytest

from build_hook import succession


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def test_first_program_inherits_nothing(monkeypatch):
    monkeypatch.delenv(succession._VARIABLE, raising=False)

    assert succession.inherited() is None


def test_estate_is_read_once(monkeypatch):
    monkeypatch.setenv(succession._VARIABLE, '{"listener": 7, "proxy": null}')

    assert succession.inherited() == succession.Estate(7, None)
    assert succession._VARIABLE not in os.environ


@pytest.mark.parametrize("wanted", [0, None], ids=["any port", "the same port"])
def test_socket_that_is_wanted_is_taken_up(listener, wanted):
    port = listener.getsockname()[1]
    estate = succession.Estate(os.dup(listener.fileno()), None)

    found = succession.take_up(estate, ("127.0.0.1", port if wanted is None else wanted))

    assert found is not None
    with found:
        assert found.getsockname()[1] == port


def test_socket_of_another_port_is_closed(listener):
    copy = os.dup(listener.fileno())

    assert succession.take_up(succession.Estate(copy, None), ("127.0.0.1", 1)) is None
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(copy)
