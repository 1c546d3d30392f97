"""Deliveries gone wrong through the whole application: intake, routes, judge, inbox, answers.

usage: python -m tests.fuzz.door --runs N [--seed S] [--write FILE] [--json]

Falcon's application runs in this process over a real registry and a real database, without a
network. A run fails if the answer is a 5xx or not of the one shape, if anything is raised, or if
a line of the log could act on a terminal.
"""

import argparse
import asyncio
import contextlib
import contextvars
import dataclasses
import io
import json
import pathlib
import random
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any
from urllib import parse

from benchmarks import page
from build_hook import registry, secret_files, settings
from build_hook.web import app, catalogue, inbox
from tests import deliveries
from tests.fuzz import forges

TOGETHER = 32
# After so many the application starts afresh, on an empty database.
LIFE = 10_000
PATHS = (
    *("/",) * 8, "/hooks/p0", "/hooks/p1", "/hooks/p4", "/hooks/p7", "/hooks/p14",
    "/hooks/nobody", "/hooks/", "/hooks/../p1", "/hooks/%00", "/hooks/p1/p2", "/hooks/é\ud800",
    "/hooks/'; --", "/hook/x", "/healthz", "/api/v1/projects", "/\x1b[2J", "//",
    "/hooks/" + "x" * 3000,
)  # fmt: skip
METHODS = ("POST",) * 20 + ("GET", "PUT", "DELETE", "OPTIONS", "HEAD", "BREW")
MEMORY_MB = 40.0

_secret: contextvars.ContextVar[bytes] = contextvars.ContextVar("secret")


@dataclasses.dataclass
class Tally:
    """What came out."""

    runs: int = 0
    answers: dict[int, int] = dataclasses.field(default_factory=dict[int, int])
    stored: int = 0
    memory: list[float] = dataclasses.field(default_factory=list[float])
    faults: list[str] = dataclasses.field(default_factory=list[str])

    @property
    def grown(self) -> float:
        """MB between the end of the first life and that of the last."""
        return self.memory[-1] - self.memory[0] if self.memory else 0.0


class Secrets(secret_files.SecretFiles):
    """Whatever proves the delivery that is being looked at."""

    def read(self, name: str) -> bytes | None:
        return _secret.get()


@dataclasses.dataclass
class Exchange:
    """One request, sent in pieces, and what the application said."""

    scope: dict[str, Any]
    pieces: list[bytes]
    status: list[int] = dataclasses.field(default_factory=list[int])
    body: bytes = b""

    async def receive(self) -> dict[str, Any]:
        if not self.pieces:
            return {"type": "http.disconnect"}
        piece = self.pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(self.pieces)}

    async def send(self, event: dict[str, Any]) -> None:
        if event["type"] == "http.response.start":
            self.status.append(event["status"])
        else:
            self.body += event.get("body", b"")

    def check(self) -> int:
        """The status; raises on whatever must not be."""
        assert len(self.status) == 1, self.status
        status = self.status[0]
        assert status < 500, (status, self.body[:200])
        if self.scope["method"] == "HEAD" or status == 204 or not self.body:
            return status
        answer = json.loads(self.body)
        if status >= 400:
            assert answer["success"] is False
            assert answer["error"] and answer["hint"]  # noqa: PT018
        return status


def exchange(delivery: deliveries.Delivery, chance: random.Random) -> Exchange:
    """The request that carries a delivery."""
    path = chance.choice(PATHS)
    length = {"content-length": str(len(delivery.body))} if chance.random() < 0.8 else {}
    headers = [
        (name.encode("utf-8", "surrogatepass"), value.encode("utf-8", "surrogatepass"))
        for name, value in (delivery.headers | length).items()
    ]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": chance.choice(METHODS),
        "scheme": "http",
        "path": parse.unquote(path, errors="replace"),
        "raw_path": path.encode("utf-8", "surrogatepass"),
        "query_string": chance.choice((b"", b"", b"repository=x&branch=%00", b"\xff=\xff")),
        "root_path": "",
        "headers": headers,
        "client": (f"192.0.2.{chance.randrange(1, 255)}", 4711),
        "server": ("127.0.0.1", 8080),
        "state": {},
    }
    return Exchange(scope, _pieces(delivery.body, chance))


class Trial:
    """Many deliveries, a few at a time, through applications that live one after the other."""

    def __init__(self, seed: int, report: Callable[[Tally], None] = lambda _: None) -> None:
        self.tally = Tally()
        self._seed = seed
        self._report = report

    def run(self, runs: int) -> Tally:
        """So many; ends early at the twentieth fault."""
        while self.tally.runs < runs and len(self.tally.faults) < 20:
            with tempfile.TemporaryDirectory(prefix="fuzz-", dir=_quick_disk()) as folder:
                asyncio.run(self._life(pathlib.Path(folder), min(LIFE, runs - self.tally.runs)))
            self.tally.memory.append(memory())
            self._report(self.tally)
        return self.tally

    async def _life(self, folder: pathlib.Path, runs: int) -> None:
        options = settings.load(folder, {})
        registry.save(options.registry, registry.Registry(projects=tuple(forges.registered())))
        store = inbox.Inbox(options.database, lambda: None)
        projects = catalogue.Catalogue(registry.Reader(options.registry))
        application = app.create_app(options, projects, store, Secrets(options.secrets))
        log = io.StringIO()
        with contextlib.redirect_stderr(log):
            store.start()
            for first in range(0, runs, TOGETHER):
                count = min(TOGETHER, runs - first)
                await asyncio.gather(*(self._one(application) for _ in range(count)))
                self._check_log(log)
            await store.close()

    async def _one(self, application: Any) -> None:
        number, self.tally.runs = self.tally.runs, self.tally.runs + 1
        chance = random.Random(f"{self._seed}/{number}")
        delivery = forges.spoil(chance.choice(forges.SOURCES), chance)
        _secret.set(delivery.secret)
        sent = exchange(delivery, chance)
        try:
            await application(sent.scope, sent.receive, sent.send)
            status = sent.check()
        except Exception as error:
            where = f"run {self._seed}/{number} {delivery.id} {sent.scope['path'][:30]!r}"
            self.tally.faults.append(f"{where}: {error!r}"[:300])
        else:
            self.tally.answers[status] = self.tally.answers.get(status, 0) + 1
            self.tally.stored += status in (200, 202) and sent.scope["method"] == "POST"

    def _check_log(self, log: io.StringIO) -> None:
        text = log.getvalue()
        log.seek(0)
        log.truncate()
        lines = text.split("\n")
        strange = [one for one in lines if not (one.isascii() and (one.isprintable() or not one))]
        self.tally.faults += [f"a line of the log: {one!r}"[:300] for one in strange]
        self.tally.faults += [one[:300] for one in lines if "event=fault" in one]


def memory() -> float:
    """Resident memory now, in MB."""
    text = pathlib.Path("/proc/self/statm").read_text(encoding="ascii")
    return int(text.split()[1]) * 4096 / 1e6


def _pieces(body: bytes, chance: random.Random) -> list[bytes]:
    if chance.random() < 0.7:
        return [body]
    cuts = sorted(chance.randrange(len(body) + 1) for _ in range(3))
    return [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]


def _quick_disk() -> str | None:
    """Memory where there is some: nothing of this has to survive."""
    return "/dev/shm" if pathlib.Path("/dev/shm").is_dir() else None


def main() -> None:
    """Run, and print what came out; exit 1 on a fault or if memory grew."""
    parser = argparse.ArgumentParser(description="Spoilt deliveries through the application.")
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=pathlib.Path)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    started = time.monotonic()

    def report(tally: Tally) -> None:
        print(f"{tally.runs} runs, {tally.memory[-1]:.0f} MB", file=sys.stderr, flush=True)

    tally = Trial(given.seed, report).run(given.runs)
    result = {
        "runs": tally.runs,
        "seed": given.seed,
        "answers": {str(k): v for k, v in sorted(tally.answers.items())},
        "stored or known": tally.stored,
        "faults": tally.faults[:20],
        "seconds": round(time.monotonic() - started, 1),
        "memory MB": [round(tally.memory[0], 1), round(max(tally.memory), 1)],
    }
    if given.json:
        print(json.dumps(result, indent=2))
    else:
        print("\n".join(f"{name:16} {value}" for name, value in result.items()))
    if given.write:
        command = f"python -m tests.fuzz.door --runs {given.runs} --seed {given.seed}"
        rows = [(name, str(value)) for name, value in result.items()]
        page.write(given.write, "door", command, [page.table(("", ""), rows)])
    sys.exit(1 if tally.faults or tally.grown > MEMORY_MB else 0)


if __name__ == "__main__":
    main()
