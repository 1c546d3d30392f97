import os

import pytest

from build_hook.web import limiter


@pytest.fixture
def clock():
    return [1000.0]


def made(clock, **bounds):
    return limiter.Limiter(clock=lambda: clock[0], **{"burst": 3, "every": 10.0, **bounds})


def test_burst_passes_then_each_waits(clock):
    failures = made(clock)

    assert [failures.fail("192.0.2.1") for _ in range(5)] == [None, None, None, 10, 10]


def test_time_gives_attempts_back_one_by_one(clock):
    failures = made(clock)
    for _ in range(4):
        failures.fail("192.0.2.1")

    clock[0] += 9.9
    assert failures.fail("192.0.2.1") == 1
    clock[0] += 0.1
    assert failures.fail("192.0.2.1") is None
    assert failures.fail("192.0.2.1") == 10


def test_waiting_does_not_grow_with_what_was_refused(clock):
    failures = made(clock)
    waits = [failures.fail("192.0.2.1") for _ in range(100)]

    assert waits[-1] == 10


def test_addresses_are_apart_but_a_network_of_ipv6_is_one(clock):
    failures = made(clock, burst=1)

    assert failures.fail("192.0.2.1") is None
    assert failures.fail("192.0.2.2") is None
    assert failures.fail("2001:db8::1") is None
    assert failures.fail("2001:db8::2") == 10
    assert failures.fail("2001:db8:0:1::2") is None


def test_memory_is_bounded_and_the_longest_silent_is_forgotten(clock):
    failures = made(clock, burst=1, most=96)
    failures.fail("192.0.2.1")
    for number in range(10_000):
        clock[0] += 0.001
        failures.fail(f"10.0.{number // 256}.{number % 256}")

    assert len(failures) == 96
    assert failures.fail("192.0.2.1") is None
    assert failures.fail(f"10.0.{9_999 // 256}.{9_999 % 256}") is not None


def test_an_address_that_fails_again_keeps_its_place(clock):
    failures = made(clock, burst=2, most=8)

    for number in range(7):
        failures.fail(f"10.0.0.{number}")
    assert failures.fail("10.0.0.0") is None

    assert len(failures) == 7
    assert failures.fail("10.0.0.0") == 10


def test_processes_count_together():
    """As web's do: the master makes it, workers inherit it."""
    failures = limiter.Limiter(burst=3, every=1000.0)
    for _ in range(3):
        child = os.fork()
        if not child:
            failures.fail("192.0.2.1")
            os._exit(0)
        os.waitpid(child, 0)

    assert failures.fail("192.0.2.1") == 1000
    assert failures.fail("192.0.2.2") is None
