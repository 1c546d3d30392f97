"""The short form of the trial of deploys under HTTP/2; ``./dev soak http2`` is the full one."""

import pytest

from tests.soak import http2

SAID = """\
Application protocol: {protocol}

finished in 2.01s, 100.0 req/s, 10KB/s
requests: 400 total, 400 started, 400 done, {good} succeeded, {bad} failed, 0 errored, 0 timeout
status codes: 398 2xx, 0 3xx, 0 4xx, 2 5xx
                     min         max         mean         sd        +/- sd
time for request:      650us     12.50ms      1.20ms       300us    80.00%
"""


def test_cycles_under_http_2_fail_nothing(host):
    seen, took = http2.cycles(host, 3)

    assert len(took) == 3
    assert seen.failed == 0
    assert seen.asked >= http2.REQUESTS


def test_failures_are_counted():
    assert http2.read(SAID.format(protocol="h2", good=398, bad=2)) == http2.Seen(400, 2, 12.5)


def test_http_1_is_no_trial_of_http_2():
    with pytest.raises(AssertionError):
        http2.read(SAID.format(protocol="http/1.1", good=400, bad=0))
