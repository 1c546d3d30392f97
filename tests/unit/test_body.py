import asyncio
import json

import pytest

from build_hook.web import body

LIMIT = 1000_000


@pytest.fixture(autouse=True)
def _little_is_discarded(monkeypatch):
    """A sender that was refused says nothing more here: nobody waits for it."""
    monkeypatch.setattr(body, "DISCARD_SECONDS", 0.05)


def _events(*chunks):
    return [
        {"type": "http.request", "body": chunk, "more_body": number < len(chunks) - 1}
        for number, chunk in enumerate(chunks)
    ]


class _Exchange:
    """One request through the intake into an application that keeps what it got."""

    def __init__(self, tmp_path, events=(), headers=(), query=b"", **options):
        self._query = query
        self.sent = []
        self.got: bytes = b""
        self.large = None
        self.after = None
        self._events = list(events)
        self._headers = list(headers)
        self.intake = body.Intake(self._app, **{"limit": LIMIT, "folder": tmp_path, **options})

    def run(self):
        scope = {"type": "http", "headers": self._headers, "query_string": self._query}
        asyncio.run(self.intake(scope, self._receive, self._send))
        return self

    @property
    def status(self):
        return self.sent[0]["status"]

    @property
    def answer(self):
        return json.loads(self.sent[1]["body"])

    async def _receive(self):
        if self._events:
            return self._events.pop(0)
        await asyncio.sleep(3600)
        return {}

    async def _send(self, event):
        self.sent.append(event)

    async def _app(self, scope, receive, send):
        self.got = scope[body.SCOPE_KEY].load()
        self.large = scope[body.SCOPE_KEY].is_large
        self.after = await receive()


def test_address_that_is_not_ascii_is_refused(tmp_path):
    exchange = _Exchange(tmp_path, _events(b"{}"), query=b"\xff=1").run()

    assert exchange.status == 400
    assert "percent-encoded" in exchange.answer["hint"]


def test_body_arrives_whole(tmp_path):
    exchange = _Exchange(tmp_path, _events(b"ab", b"", b"cd")).run()

    assert exchange.got == b"abcd"
    assert exchange.large is False
    assert exchange.after == {"type": "http.request", "body": b"", "more_body": False}


def test_large_body_waits_in_a_file_that_goes_away(tmp_path):
    exchange = _Exchange(tmp_path, _events(b"a" * body.LARGE, b"b")).run()

    assert exchange.got == b"a" * body.LARGE + b"b"
    assert exchange.large is True
    assert list(tmp_path.iterdir()) == []


def test_declared_size_is_refused_before_reading(tmp_path):
    exchange = _Exchange(tmp_path, headers=[(b"content-length", b"1000001")]).run()

    assert exchange.status == 413
    assert exchange.got == b""
    assert "max_body_mb" in exchange.answer["hint"]


def test_undeclared_size_is_refused_while_reading(tmp_path):
    exchange = _Exchange(tmp_path, _events(b"a" * LIMIT, b"b")).run()

    assert exchange.status == 413
    assert exchange.got == b""


def test_body_of_exactly_the_limit_passes(tmp_path):
    headers = [(b"content-length", str(LIMIT).encode())]
    exchange = _Exchange(tmp_path, _events(b"a" * LIMIT), headers).run()

    assert len(exchange.got) == LIMIT


def test_sender_that_stops_is_shut_out(tmp_path):
    events = [{"type": "http.request", "body": b"a", "more_body": True}]
    exchange = _Exchange(tmp_path, events, patience=0.05).run()

    assert exchange.status == 408
    assert "1 bytes" in exchange.answer["error"]
    assert exchange.got == b""


@pytest.mark.parametrize(("rate", "passes"), [(10.0, True), (1e9, False)])
def test_bytes_that_came_buy_time(tmp_path, rate, passes):
    chunks = _events(*[b"a"] * 5)
    exchange = _Exchange(tmp_path, patience=0.1, rate=rate)

    async def slowly():
        await asyncio.sleep(0.03)
        return chunks.pop(0) if chunks else {"type": "http.disconnect"}

    exchange._receive = slowly
    exchange.run()

    assert (exchange.got == b"aaaaa") is passes


def test_cut_body_is_refused(tmp_path):
    events = [
        {"type": "http.request", "body": b"a", "more_body": True},
        {"type": "http.disconnect"},
    ]
    exchange = _Exchange(tmp_path, [*events, {"type": "http.disconnect"}]).run()

    assert exchange.status == 400
    assert exchange.got == b""


def test_number_of_spooled_bodies_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(body, "MOST_SPOOLED", 0)
    exchange = _Exchange(tmp_path, _events(b"a" * (body.LARGE + 1))).run()

    assert exchange.status == 503
    assert (b"retry-after", b"10") in exchange.sent[0]["headers"]


def test_spool_counter_returns_to_zero(tmp_path, monkeypatch):
    monkeypatch.setattr(body, "MOST_SPOOLED", 1)
    exchange = _Exchange(tmp_path, _events(b"a" * (body.LARGE + 1)))

    exchange.run()
    exchange.sent.clear()
    exchange._events = _events(b"b" * (body.LARGE + 1))
    exchange.run()

    assert exchange.sent == []
    assert exchange.got.startswith(b"b")


def test_folder_that_cannot_be_written_is_unavailable(tmp_path):
    exchange = _Exchange(
        tmp_path, _events(b"a" * (body.LARGE + 1)), folder=tmp_path / "missing"
    ).run()

    assert exchange.status == 503
    assert str(tmp_path) not in exchange.answer["error"]
