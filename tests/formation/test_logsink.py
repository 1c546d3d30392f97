"""The receiver of logs takes what the product pushes, and nothing else."""

import http.client
import urllib.parse

import pytest

from build_hook.shipping import line, loki
from tests.formation import logsink

LINES = [line.Line(1, "hello", line.labels(source="build"))]


@pytest.fixture
def sink():
    with logsink.LogSink("127.0.0.1") as made:
        yield made


def test_takes_what_is_pushed(sink):
    assert loki.push(sink.url, LINES, {"job": "build-hook"})

    assert sink.entries == [logsink.Entry("hello", {"job": "build-hook", "source": "build"})]
    assert sink.find("ell") is sink.entries[0]
    assert (sink.find("other"), sink.count("hello")) == (None, 1)


def test_refuses_what_loki_would(sink):
    parts = urllib.parse.urlsplit(sink.url)
    for path, kind in ((parts.path, "text/plain"), ("/elsewhere", "application/json")):
        connection = http.client.HTTPConnection(parts.netloc)
        connection.request("POST", path, b"{}", {"Content-Type": kind})
        assert connection.getresponse().status == 400
        connection.close()

    assert sink.entries == []


def test_is_away_and_back_at_the_same_port(sink):
    before = sink.url
    sink.close()
    assert not loki.push(before, LINES, {})

    sink.open()

    assert sink.url == before
    assert loki.push(before, LINES, {})
