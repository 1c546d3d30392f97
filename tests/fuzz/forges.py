"""Deliveries gone wrong, by the million: the front door must answer every one of them.

usage: python -m tests.fuzz.forges --runs N [--seed S] [--engine mutation|atheris] [--write FILE]

Each run takes a real delivery, or one made from a host's documentation, spoils its payload, its
bytes, its headers or several of them, signs some of the results anew, and has them judged. A run
fails if anything but a judgement comes out, if something moved without proof, or if what was read
cannot be stored or is no valid ref.
"""

import argparse
import copy
import dataclasses
import importlib
import json
import pathlib
import random
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks import page
from build_hook import project, push
from build_hook.judging import explain, forges, judge, matching
from tests import deliveries, documented

SOURCES = (*deliveries.all_of_them().values(), *documented.all_of_them())
NASTY: tuple[Any, ...] = (
    None, True, False, 0, -1, 1e308, 10**30, "", "x", "0" * 40, "f" * 64, "refs/heads/main",
    "refs/tags/v1", "\ud800", "\udfff\ud800", "a\0b", "\x1b[2J", "%s%n", "../..", "-x", "$(id)",
    "\u202e", "é" * 50, "x" * 3000, "https://[::1", "git@:x", "ssh://", "a:b:c", [], {}, [[]],
    [None], {"a": {"b": {"c": []}}}, [{"name": None}], {"": ""},
)  # fmt: skip
BYTES = (
    b"\xff",
    b"\0",
    b"{",
    b"]",
    b'"',
    b"\\ud800",
    b"9" * 4301,
    b"NaN",
    b"[" * 2000,
    b"&",
    b"=",
)
HEADERS = (
    "", "x", "sha256=", "sha256=" + "0" * 64, "sha1=" + "0" * 40, "v1,", "v1,AAAA v2,x", "\xe9",
    "\ud800", "Basic", "Basic %%%", "Basic Og==", "Bearer ", "push", "Push Hook", "repo:push",
    "ping", "diagnostics:ping", "application/x-www-form-urlencoded", "text/plain", "a" * 5000,
    "application/json", "9" * 400, "-1", "git.push",
)  # fmt: skip
NOW = deliveries.all_of_them()["gitlab-push-standard-webhooks"].now
NAMES = tuple(sorted({name for one in SOURCES for name in one.headers}))


@dataclasses.dataclass
class Tally:
    """What came out."""

    runs: int = 0
    accepted: int = 0
    refused: dict[int, int] = dataclasses.field(default_factory=dict[int, int])
    faults: list[str] = dataclasses.field(default_factory=list[str])


def world() -> matching.Index:
    """The registered projects, ready to be found."""
    return matching.Index(registered())


def registered() -> list[project.Project]:
    """A project for every repository of the deliveries, and then some."""
    return [
        project.Project.model_validate({"name": f"p{number}", **_home(number, one)})
        for number, one in enumerate(SOURCES)
    ]


def _home(number: int, one: deliveries.Delivery) -> dict[str, Any]:
    event = one.read()
    url = f"https://{event.host or 'git.example'}/{event.repository or 'team/app'}"
    ref = one.expected["changes"][0]["ref"] if one.expected["changes"] else "main"
    given: dict[str, Any] = {"webhook_secrets": ("main",)}
    if "image" in one.expected.get("project", {}):
        return given | one.expected["project"]
    given |= {"repository": url, "ref": ref}
    if "project" in one.expected:
        return given | one.expected["project"]
    if number % 5 == 4:
        given |= {"webhook_secrets": (), "allow_unsigned": True}
    if number % 7 == 0:
        given |= {"tags": "v*[0-9]**", "after_ci": True}
    return given


def spoil(source: deliveries.Delivery, chance: random.Random) -> deliveries.Delivery:
    """One delivery gone wrong."""
    kind = chance.random()
    if kind < 0.6:
        spoilt = _spoil_payload(source, chance)
    elif kind < 0.8:
        spoilt = dataclasses.replace(source, body=_spoil_bytes(source.body, chance))
    else:
        spoilt = source
    if kind > 0.7 or chance.random() < 0.2:
        spoilt = dataclasses.replace(spoilt, headers=_spoil_headers(spoilt.headers, chance))
    return spoilt


def check(delivery: deliveries.Delivery, index: matching.Index, only: str | None) -> Any:
    """Judge it; returns the refusal's status or None, raises on whatever must not be."""
    verdict = judge.judge(
        delivery.headers,
        delivery.body,
        index,
        lambda _: delivery.secret,
        only=only,
        now=NOW,
    )
    if verdict.refusal is not None:
        assert verdict.event is None and not verdict.matches  # noqa: PT018
        assert verdict.refusal.status in (400, 401, 404, 415, 422), verdict.refusal
        assert verdict.refusal.message and verdict.refusal.hint  # noqa: PT018
        verdict.refusal.message.encode()
        return verdict.refusal.status
    for match in verdict.matches:
        assert verdict.verified or match.project.allow_unsigned
        _check_change(match)
    json.dumps(explain.describe(verdict), ensure_ascii=False).encode()
    return None


def run(runs: int, seed: int, report: Callable[[Tally], None] = lambda _: None) -> Tally:
    """So many spoilt deliveries; the first faults are kept with what it takes to repeat them."""
    index, tally = world(), Tally()
    while tally.runs < runs and len(tally.faults) < 20:
        chance = random.Random(f"{seed}/{tally.runs}")
        delivery = spoil(chance.choice(SOURCES), chance)
        only = chance.choice((None, None, f"p{chance.randrange(len(SOURCES))}", "nobody"))
        try:
            status = check(delivery, index, only)
        except Exception as error:
            tally.faults.append(f"run {seed}/{tally.runs} {delivery.id} {only}: {error!r}"[:300])
        else:
            tally.accepted += status is None
            if status is not None:
                tally.refused[status] = tally.refused.get(status, 0) + 1
        tally.runs += 1
        if tally.runs % 50_000 == 0:
            report(tally)
    return tally


def _spoil_payload(source: deliveries.Delivery, chance: random.Random) -> deliveries.Delivery:
    payload = json.loads(json.dumps(forges.decode(source.headers, source.body)))
    for _ in range(chance.choice((1, 1, 2, 4))):
        holder, key = _place(payload, chance)
        if chance.random() < 0.2 and isinstance(holder, dict):
            del holder[key]
        else:
            holder[key] = copy.deepcopy(chance.choice(NASTY))
        if not payload:
            break
    if chance.random() < 0.7:
        return deliveries.sign(source, payload)
    return dataclasses.replace(source, body=json.dumps(payload).encode())


def _place(payload: Any, chance: random.Random) -> tuple[Any, Any]:
    """A container in the payload and one of its keys; places near the top are likelier."""
    holder, key = payload, None
    while True:
        keys = list(holder) if isinstance(holder, dict) else range(min(len(holder), 3))
        key = chance.choice(keys)
        inner = holder[key]
        if not isinstance(inner, dict | list) or not inner or chance.random() < 0.15:
            return holder, key
        holder = inner


def _spoil_bytes(body: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(body) + 1)
    kind = chance.randrange(4)
    if kind == 0:
        return body[:at]
    if kind == 1:
        return body[:at] + chance.choice(BYTES) + body[at:]
    if kind == 2:
        return body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :]
    return chance.choice((b"", b"null", b"{}", b"[]", b'{"events": [1]}', b"payload=%7B%7D"))


def _spoil_headers(headers: dict[str, str], chance: random.Random) -> dict[str, str]:
    changed = dict(headers)
    for _ in range(chance.choice((1, 2, 3))):
        name = chance.choice(NAMES)
        if chance.random() < 0.5:
            changed.pop(chance.choice(list(changed)), None)
        else:
            changed[name] = chance.choice(HEADERS)
        if not changed:
            break
    return changed


def _check_change(match: judge.Match) -> None:
    change = match.change
    if change is None:
        assert match.action == "ignore"
        return
    assert push.is_ref(change.ref)
    assert change.after is None or change.after.removeprefix("sha256:").isalnum()
    assert not (match.action == "build" and change.deleted)


class _Steered(random.Random):
    """Chance that follows the bytes of a coverage-driven fuzzer."""

    def __init__(self, given: Any) -> None:
        self._given = given
        super().__init__(0)

    def random(self) -> float:
        return self._given.ConsumeProbability()

    def getrandbits(self, k: int, /) -> int:
        return self._given.ConsumeIntInRange(0, (1 << k) - 1)


def _atheris(runs: int) -> None:
    """The same check driven by coverage, where atheris is installed; it ends the process."""
    atheris: Any = importlib.import_module("atheris")
    index = world()

    def one(data: bytes) -> None:
        chance = _Steered(atheris.FuzzedDataProvider(data))
        check(spoil(chance.choice(SOURCES), chance), index, None)

    atheris.instrument_all()
    atheris.Setup([sys.argv[0], f"-runs={runs}"], one)
    atheris.Fuzz()


def main() -> None:
    """Run, and print a table or one JSON object; exit 1 on a fault."""
    parser = argparse.ArgumentParser(description="Judges spoilt deliveries.")
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", choices=("mutation", "atheris"), default="mutation")
    parser.add_argument("--write", type=pathlib.Path, help="keep the result in this page")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    if given.engine == "atheris":
        _atheris(given.runs)
        return
    started, before = time.monotonic(), _memory()

    def report(tally: Tally) -> None:
        print(f"{tally.runs} runs, {_memory():.0f} MB", file=sys.stderr, flush=True)

    tally = run(given.runs, given.seed, report)
    result = {
        "runs": tally.runs,
        "seed": given.seed,
        "accepted": tally.accepted,
        "refused": dict(sorted(tally.refused.items())),
        "faults": tally.faults,
        "seconds": round(time.monotonic() - started, 1),
        "memory_mb": {"before": round(before, 1), "peak": round(_memory(), 1)},
    }
    if given.json:
        print(json.dumps(result, indent=2))
    else:
        print("\n".join(f"{name:10} {value}" for name, value in result.items()))
    if given.write:
        command = f"python -m tests.fuzz.forges --runs {given.runs} --seed {given.seed}"
        rows = [(name, str(value)) for name, value in result.items()]
        page.write(given.write, "forges", command, [page.table(("", ""), rows)])
    sys.exit(1 if tally.faults else 0)


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
