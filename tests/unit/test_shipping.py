"""Logs on their way to Loki: a server that answers as Loki does, a journal from a file."""

import gzip
import http.server
import json
import threading

import pytest

from build_hook import settings
from build_hook.shipping import journal, line, loki, shipper

LABELS = {"juju_unit": "build-hook/0"}
FAKE = """#!/bin/sh
echo "$@" >> {folder}/asked
cat {folder}/entries
exec sleep 60
"""


class Loki:
    """Remembers what was pushed, and answers with the statuses that it is told, then 204."""

    def __init__(self) -> None:
        self.pushed: list[dict] = []
        self.tries = 0
        self.statuses: list[int] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.tries += 1
                status = outer.statuses.pop(0) if outer.statuses else 204
                if status == 204:
                    assert self.headers["Content-Encoding"] == "gzip"
                    outer.pushed.append(json.loads(gzip.decompress(body)))
                self.send_response(status)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - theirs
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/loki/api/v1/push"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    @property
    def said(self) -> list[tuple[dict, str]]:
        """Every line with its labels, in the order in which it came."""
        streams = [stream for push in self.pushed for stream in push["streams"]]
        return [(s["stream"], text) for s in streams for _, text in s["values"]]


@pytest.fixture
def sink():
    made = Loki()
    yield made
    made.close()


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A folder with the journal's entries, and the program that shows them."""
    (tmp_path / "entries").touch()
    program = tmp_path / "journalctl"
    program.write_text(FAKE.format(folder=tmp_path))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


@pytest.fixture
def ship(machine, sink):
    """Makes a shipper, as a process would begin with one."""
    made = []

    def begin(*urls: str) -> shipper.Shipper:
        environ = {
            "BUILD_HOOK_LOKI_URLS": ",".join(urls or (sink.url,)),
            "BUILD_HOOK_LOKI_LABELS": "juju_unit=build-hook/0",
        }
        made.append(shipper.Shipper(settings.load(machine / "state", environ)))
        return made[-1]

    yield begin
    for each in made:
        each.close()


def entry(text: object, n: int, **fields: str) -> str:
    return json.dumps(
        {"__CURSOR": f"c{n}", "__REALTIME_TIMESTAMP": str(10**15 + n), "MESSAGE": text, **fields}
    )


def journal_says(machine, *entries: str) -> None:
    (machine / "entries").write_text("".join(f"{each}\n" for each in entries))


def instance(machine) -> str:
    return settings.load(machine / "state", {}).instance


def log(machine, build: int, text: str) -> None:
    with (machine / "state" / "logs" / f"{build}.log").open("a") as file:
        file.write(text)


def test_builds_processes_and_containers_are_told_apart(machine, sink, ship):
    ours = f"shop.api-7-{instance(machine)}-2"
    journal_says(
        machine,
        entry("ready", 1, _SYSTEMD_UNIT="build-hook-worker.service"),
        entry("GET /", 2, _SYSTEMD_UNIT="docker.service", CONTAINER_NAME=ours),
        entry("secret", 3, _SYSTEMD_UNIT="docker.service", CONTAINER_NAME="somebody-elses"),
        entry("noise", 4, _SYSTEMD_UNIT="docker.service"),
    )
    one = ship()
    log(machine, 7, "compiling\n")

    assert one.ship(5) == 3

    common = {"job": "build-hook", **LABELS}
    assert sink.said == [
        ({**common, "source": "worker"}, "ready"),
        ({**common, "source": "container", "project": "shop.api", "container": ours}, "GET /"),
        ({**common, "source": "build"}, "build 7: compiling"),
    ]


def test_what_was_there_before_anybody_shipped_is_no_news(machine, sink, ship):
    instance(machine)
    log(machine, 1, "old\n")
    one = ship()
    log(machine, 1, "new\n")

    one.ship(0.1)

    assert [text for _, text in sink.said] == ["build 1: new"]


def test_the_next_process_goes_on_where_the_last_one_was(machine, sink, ship):
    one = ship()
    journal_says(machine, entry("a", 1, _SYSTEMD_UNIT="build-hook-web.service"))
    log(machine, 1, "one\n")
    one.ship(5)
    one.close()
    log(machine, 1, "two\n")
    journal_says(machine)

    two = ship()
    two.ship(0.1)

    assert [text for _, text in sink.said] == ["a", "build 1: one", "build 1: two"]
    asked = (machine / "asked").read_text().splitlines()
    assert "--lines=1" in asked[0]
    assert "--after-cursor c1" in asked[1]


def test_a_line_without_its_end_waits_for_it(machine, sink, ship):
    one = ship()
    log(machine, 1, "whole\nha")
    one.ship(0.1)
    log(machine, 1, "lf\n")

    one.ship(0.1)

    assert [text for _, text in sink.said] == ["build 1: whole", "build 1: half"]


@pytest.mark.parametrize("status", [500, 503, 429])
def test_who_is_busy_is_asked_again(machine, sink, ship, status):
    naps = []
    sink.statuses = [status, status]
    one = ship()
    log(machine, 1, "x\n")

    one.ship(0.1, naps.append)

    assert naps == [0.5, 1.0]
    assert [text for _, text in sink.said] == ["build 1: x"]


def test_what_is_refused_for_good_is_not_tried_again(machine, sink, ship):
    sink.statuses = [400]
    one = ship()
    log(machine, 1, "too old\n")
    one.ship(0.1)
    log(machine, 1, "next\n")

    one.ship(0.1)

    assert sink.tries == 2
    assert [text for _, text in sink.said] == ["build 1: next"]


def test_one_that_is_away_does_not_repeat_for_the_other(machine, sink, ship):
    other = Loki()
    try:
        other.statuses = [503]
        one = ship(sink.url, other.url)
        log(machine, 1, "x\n")

        one.ship(0.1, lambda _: None)

        assert (sink.tries, other.tries) == (1, 2)
    finally:
        other.close()


def test_nothing_is_remembered_before_it_is_taken(machine, sink, ship):
    one = ship()
    log(machine, 1, "x\n")
    sink.statuses = [503]

    def die(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        one.ship(0.1, die)
    one.close()

    one = ship()
    log(machine, 2, "y\n")
    one.ship(0.1)
    assert "build 2: y" in [text for _, text in sink.said]


def test_a_log_that_is_gone_is_forgotten(machine, sink, ship):
    one = ship()
    log(machine, 1, "a longer line\n")
    one.ship(0.1)
    (machine / "state" / "logs" / "1.log").unlink()
    one.ship(0.1)
    log(machine, 1, "anew\n")

    one.ship(0.1)

    assert [text for _, text in sink.said][-1] == "build 1: anew"


def test_moments_differ_and_long_lines_are_cut():
    said = [line.Line(5, "x" * 300_000, line.labels(source="web"))]

    ((moment, text),) = json.loads(loki.body(said, {}))["streams"][0]["values"]

    assert moment == "5"
    assert len(text) == 200 * 1024


def test_two_entries_of_one_moment_keep_their_order(machine):
    journal_says(
        machine,
        *(entry(text, 1, _SYSTEMD_UNIT="build-hook-web.service") for text in ("a", "b")),
    )
    source = journal.Journal("i", None)
    try:
        first, second = source.take(5)
    finally:
        source.close()

    assert (first.text, second.text) == ("a", "b")
    assert first.at < second.at


@pytest.mark.parametrize(
    ("message", "text"),
    [([104, 105, 255], "hi\N{REPLACEMENT CHARACTER}"), (None, None), ([{}], None), (7, None)],
)
def test_messages_that_are_no_text(machine, message, text):
    journal_says(machine, entry(message, 1, _SYSTEMD_UNIT="build-hook-web.service"), "no json")
    source = journal.Journal("i", None)
    try:
        found = source.take(5)
    finally:
        source.close()

    assert [each.text for each in found] == ([] if text is None else [text])


def test_a_machine_without_a_journal_ships_builds(tmp_path, sink, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    environ = {"BUILD_HOOK_LOKI_URLS": sink.url}
    one = shipper.Shipper(settings.load(tmp_path / "state", environ))
    log(tmp_path, 1, "x\n")

    one.ship(0.1)

    assert [text for _, text in sink.said] == ["build 1: x"]
