import pytest

from build_hook import settings, web


@pytest.fixture
def options(tmp_path):
    return settings.load(tmp_path, {"BUILD_HOOK_LISTEN": "192.0.2.1", "BUILD_HOOK_PORT": "81"})


def test_an_inherited_socket_goes_before_the_address(options):
    assert web.configuration(options)["bind"] == "192.0.2.1:81"
    assert web.configuration(options, 7)["bind"] == "fd://7"


@pytest.mark.parametrize(
    ("host", "expected"), [("localhost", "localhost:80"), ("::1", "[::1]:80"), ("::", "[::]:80")]
)
def test_address(host, expected):
    assert web.address(host, 80) == expected


def test_one_process_serves_and_nothing_else_listens(options):
    configuration = web.configuration(options)

    assert configuration["workers"] == 1
    assert configuration["control_socket_disable"] is True
    assert configuration["accesslog"] is None
