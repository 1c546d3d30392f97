"""Where containers log to."""

import pytest

from build_hook import settings
from build_hook.deploy import container_logs

LOKI = "http://192.0.2.9:3100/push"


@pytest.mark.parametrize(
    ("wish", "urls", "has_journal", "driver"),
    [
        ("auto", "", True, "local"),
        ("auto", LOKI, True, "journald"),
        ("auto", LOKI, False, "local"),
        ("journal", "", False, "journald"),
        ("engine", LOKI, True, "local"),
    ],
)
def test_driver(tmp_path, monkeypatch, wish, urls, has_journal, driver):
    socket = tmp_path / "journal"
    if has_journal:
        socket.touch()
    monkeypatch.setattr(container_logs, "JOURNAL", socket)
    environ = {"BUILD_HOOK_CONTAINER_LOGS": wish, "BUILD_HOOK_LOKI_URLS": urls}

    config = container_logs.config(settings.load(tmp_path / "state", environ))

    assert config.type == driver
