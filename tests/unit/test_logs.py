import asyncio
import json
import types

import falcon.testing
import pytest

from build_hook import errors
from build_hook.store import records
from build_hook.web import answers
from build_hook.web.api import logs

LIVE, BUILDING = records.Phase.LIVE, records.Phase.BUILDING


class Build:
    """A build that goes on: each look at its phase takes it one step further."""

    def __init__(self, file, *steps):
        self.file = file
        self.steps = list(steps)

    async def phase(self, number):
        step = self.steps.pop(0)
        if callable(step):
            step()
            return await self.phase(number)
        if isinstance(step, Exception):
            raise step
        return step

    def writes(self, text):
        def write():
            with self.file.open("ab") as file:
                file.write(text.encode())

        return write


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(logs, "LOOK_EVERY", 0.001)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "1.log"


def attach(streams, log, **state):
    request = falcon.testing.create_asgi_req()
    request.scope["state"] = state
    response = types.SimpleNamespace(sse=None)
    streams.send(log, request, response)
    return response.sse


def follow(build, start=0, **state):
    async def collect():
        events = attach(logs.Streams(build.phase), logs.Log(build.file, 1, True, start), **state)
        return [event.serialize().decode() async for event in events]

    return asyncio.run(collect())


def read(events):
    """What a client makes of them, by the rules of the standard: (event, id, data)."""
    found = []
    for event in events:
        if event.startswith(":"):
            continue
        fields = [line.partition(": ") for line in event.splitlines()]
        data = "\n".join(value for name, _, value in fields if name == "data")
        named = {name: value for name, _, value in fields}
        found.append((named.get("event"), named.get("id"), data))
    return found


def test_lines_come_as_they_are_written_and_then_the_end(file):
    build = Build(file, BUILDING, BUILDING, LIVE, LIVE)
    build.steps[1:1] = [build.writes("one\ntwö\nhal")]
    build.steps[3:3] = [build.writes("f\n")]

    assert read(follow(build)) == [
        (None, "9", "one\ntwö"),
        (None, "14", "half"),
        ("end", None, json.dumps({"phase": "live"})),
    ]


def test_what_was_written_before_the_end_was_seen_is_not_lost(file):
    build = Build(file, LIVE, LIVE)
    file.write_text("last, without an end of line")

    *lines, end = read(follow(build))
    assert lines == [(None, "28", "last, without an end of line")]
    assert end[0] == "end"


def test_long_log_comes_in_pieces_of_whole_lines(file):
    text = "x" * 100 + "\n" + "é" * 50 + "\n"
    file.write_text(text * 2000)
    events = read(follow(Build(file, *[LIVE] * 20)))[:-1]

    assert len(events) > 2
    assert "\n".join(data for _, _, data in events) == (text * 2000).removesuffix("\n")


def test_line_longer_than_a_piece_comes_all_the_same(file):
    file.write_text("x" * (2 * logs.PIECE + 5) + "\n")
    events = read(follow(Build(file, *[BUILDING] * 2, *[LIVE] * 3)))[:-1]

    assert [len(data) for _, _, data in events] == [logs.PIECE, logs.PIECE, 5]


def test_who_was_cut_off_goes_on_where_it_was(file):
    file.write_text("one\ntwo\n")

    assert read(follow(Build(file, LIVE, LIVE), start=4))[0] == (None, "8", "two")


def test_silence_has_a_heart_beat(file, monkeypatch):
    monkeypatch.setattr(logs, "HEARTBEAT", 0.01)
    events = follow(Build(file, *[BUILDING] * 35, LIVE))

    assert events[:-1] == [": waiting\n\n"] * len(events[:-1])
    assert 3 <= len(events) - 1 <= 5


def test_something_comes_at_once(file):
    async def first():
        events = attach(logs.Streams(Build(file, BUILDING).phase), logs.Log(file, 1, True))
        return (await anext(events)).serialize()

    assert asyncio.run(first()) == b": waiting\n\n"


def test_build_that_is_forgotten_ends_with_the_reason(file):
    events = read(follow(Build(file, BUILDING, errors.StoreError("There is no build 1"))))

    assert events == [("error", None, json.dumps({"error": "There is no build 1"}))]


def test_server_that_stops_ends_it(file):
    stopping = asyncio.Event()
    build = Build(file, BUILDING, stopping.set, BUILDING)

    assert read(follow(build, stopping=stopping)) == []


def test_followers_are_bounded_and_places_are_given_back(file):
    async def trial():
        build = Build(file, *[BUILDING] * 1000)
        file.write_text("one\n")
        streams = logs.Streams(build.phase, most=2)
        log = logs.Log(file, 1, follow=True)
        first, second = attach(streams, log), attach(streams, log)
        await anext(first)
        await anext(second)
        with pytest.raises(answers.RefusedError) as refused:
            attach(streams, log)
        assert refused.value.status == 503
        assert refused.value.retry_after
        await first.aclose()
        third = attach(streams, log)
        await anext(third)
        await second.aclose()
        await third.aclose()

    asyncio.run(trial())
