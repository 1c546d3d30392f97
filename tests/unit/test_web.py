import pytest

from build_hook import settings
from build_hook.web import server as web


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


@pytest.mark.parametrize(("processors", "expected"), [(1, 1), (2, 2), (64, 2), (None, 1)])
def test_one_process_for_each_processor_at_most_two(options, monkeypatch, processors, expected):
    monkeypatch.setattr(web.os, "cpu_count", lambda: processors)

    assert web.configuration(options)["workers"] == expected


def test_as_many_processes_as_the_settings_say(tmp_path):
    options = settings.load(tmp_path, {"BUILD_HOOK_WEB_WORKERS": "5"})

    assert web.configuration(options)["workers"] == 5


def test_nothing_else_listens(options):
    configuration = web.configuration(options)

    assert configuration["control_socket_disable"] is True
    assert configuration["accesslog"] is None
