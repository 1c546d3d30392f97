"""WebSockets and raw TCP sessions outlive a deploy for as long as their project grants them."""

import contextlib
import socket
import time
from collections.abc import Generator

import pytest
import websocket

from build_hook.store import builds, lingering
from tests.functional import host as hosts
from tests.functional import test_datagrams

PHASE = builds.Phase


def chat(host, name, **of):
    """A project with a WebSocket server on a published HTTP port."""
    return hosts.everything(host, name, **{"watch": 0.2, "drain": 0.5, "session_grace": 60, **of})


@contextlib.contextmanager
def talking(made) -> Generator[websocket.WebSocket]:
    """A WebSocket to whatever serves now."""
    connection = websocket.create_connection(f"ws://127.0.0.1:{made.port}/", timeout=10)
    with contextlib.closing(connection):
        yield connection


def said(connection: websocket.WebSocket) -> str | None:
    """The version at the other end; None if it has hung up."""
    try:
        connection.send("hello")
        answer = connection.recv()
    except (websocket.WebSocketConnectionClosedException, OSError):
        return None
    assert isinstance(answer, str)
    return answer.removesuffix(" hello") or None


def running(made) -> list[int]:
    """The builds whose containers run."""
    return sorted(box.build for box in made.boxes() if box.is_running)


def ended(made, build: int) -> None:
    made.host.until(lambda: build not in running(made), f"the end of build {build}")


def test_websocket_stays_until_it_ends_and_the_old_version_with_it(host):
    made = chat(host, "talks")
    first = made.live()
    version = made.version

    with talking(made) as old:
        assert said(old) == version
        second = made.live()
        assert made.get() == made.version
        assert said(old) == version
        assert running(made) == [first.id, second.id]
        with talking(made) as new:
            assert said(new) == made.version
        time.sleep(1.5)
        assert said(old) == version
    ended(made, first.id)

    assert {box.build for box in made.boxes()} == {first.id, second.id}  # kept for a way back
    assert f"build {first.id} runs on for 60 s at most: 1 sessions are open" in made.log(second)


@pytest.mark.parametrize("grace", [0, 3])
def test_session_grace_is_the_most_it_gets(host, grace):
    made = chat(host, f"grace-{grace}", session_grace=grace)
    first = made.live()
    version = made.version

    with talking(made) as old:
        assert said(old) == version
        second = made.live()
        assert second.finished is not None
        while said(old) == version:
            time.sleep(0.05)
        lasted = time.time() - second.finished

    assert grace - 0.6 < lasted < grace + 3
    ended(made, first.id)


def test_session_of_raw_tcp_stays_as_well(host):
    made = hosts.everything(
        host, "tcp-stays", protocol="tcp", session_grace=60, drain=0.3, watch=0
    )
    first = made.live()
    version = made.version

    with socket.create_connection(("127.0.0.1", made.port), 10) as connection:
        lines = connection.makefile("rw")
        for _ in range(2):
            made.live()
            lines.write("x\n")
            lines.flush()
            assert lines.readline() == f"{version} x\n"
        lines.close()
    ended(made, first.id)


def test_session_outlives_the_worker_and_a_reload_of_the_proxy(base):
    with hosts.serving(base, reconcile_interval=3600, min_free_mb=10) as host:
        made = chat(host, "survives")
        first = made.live()
        version = made.version

        with talking(made) as old:
            assert said(old) == version
            made.live()
            host.restart("worker")
            assert said(old) == version
            other = chat(host, "newcomer")  # its port makes HAProxy reload
            other.live()
            time.sleep(1.5)
            assert said(old) == version
            assert first.id in running(made)
        ended(made, first.id)
        with contextlib.closing(lingering.Lingering(host.settings.database)) as left:
            host.until(lambda: not left.all(), "its row to go")


def test_grace_that_ended_while_the_worker_was_away_is_over(base):
    with hosts.serving(base, reconcile_interval=3600, min_free_mb=10) as host:
        made = chat(host, "overdue", session_grace=4)
        first = made.live()

        with talking(made) as old:
            assert said(old)
            made.live()
            host.restart("worker")
            ended(made, first.id)
            assert said(old) is None


def test_oldest_of_too_many_is_closed_and_the_next_push_waits_for_nobody(host):
    made = chat(host, "piles-up", drain=20)
    made.live()
    with contextlib.ExitStack() as stack:
        held = []
        for number in range(4):
            connection = stack.enter_context(talking(made))
            held.append((connection, made.version))
            assert said(connection) == made.version
            if number == 0:
                host.register(made, drain=0.3)
                made.settle()
            made.live()

        assert said(held[0][0]) is None
        assert [said(connection) for connection, _ in held[1:]] == [v for _, v in held[1:]]
        assert made.get() == made.version
    host.until(lambda: len(running(made)) == 1, "all old versions to end")


def test_newer_push_ends_the_drain(host):
    made = chat(host, "impatient", drain=30)
    made.live()

    with talking(made) as old:
        assert said(old)
        second = made.push()
        made.until(PHASE.DRAINING, second)
        begun = time.monotonic()
        made.push()
        assert made.ended(second).phase is PHASE.LIVE
        assert time.monotonic() - begun < 20
        made.live()
        assert said(old)


def test_recreate_has_no_second_version_whatever_the_grace(host):
    made = chat(host, "only-one", strategy="recreate")
    first = made.live()

    with talking(made) as old:
        assert said(old)
        second = made.live()
        assert said(old) is None
        assert running(made) == [second.id]
    assert first.id != second.id


def test_call_keeps_voice_and_control_together(base):
    with hosts.serving(base, reconcile_interval=3600, min_free_mb=10) as host:
        voice = test_datagrams.speaker(
            host, "call", ("tcp", "udp"), session_grace=60, drain=0.3, watch=0
        )
        voice.live()
        version = voice.version

        def hear(voice_of: socket.socket) -> str:
            voice_of.send(b"0")
            return voice_of.recv(100).decode().rpartition(" ")[0]

        with (
            socket.create_connection(("127.0.0.1", voice.port), 10) as control,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flow,
        ):
            lines = control.makefile("rw")
            lines.write("x\n")
            lines.flush()
            assert lines.readline() == f"{version} x\n"
            flow.settimeout(5)
            flow.connect(("127.0.0.1", voice.port))
            assert hear(flow) == version

            voice.live()

            assert hear(flow) == version
            assert test_datagrams.ask(voice.port) == voice.version
            lines.close()
            control.close()
            host.until(lambda: hear(flow) == voice.version, "the voice to follow")
