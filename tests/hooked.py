"""Where we answer as the original did, and where on purpose not: docs/hooked-compatibility.md.

usage: python -m tests.hooked     writes the page anew
"""

import functools
import json
import pathlib
import re
from typing import Any

from build_hook import project
from build_hook.judging import judge, matching
from tests import deliveries

PAGE = pathlib.Path(__file__).parents[1] / "docs" / "hooked-compatibility.md"
ARGUMENTS = re.compile(r"args=2\[(.*?)\]\[(.*?)\]")

INTRO = """\
# Compatibility with hooked

Made from recorded answers by `python -m tests.hooked`; a test keeps it true.

In 2015 deliveries were taken by `hooked`, from PyPI: each ran a command with a short repository
name and a branch. The unmodified 0.1 and 0.3 were given the recorded deliveries of
`tests/data/webhooks`, with a hook that takes everything. Below is what they did, and what we do
for a project that follows the repository and the ref, with the right secret (none where the host
cannot send one, and then `allow_unsigned`).

## What is the same

- `GET /` lists the projects as `{"success": true, "hooks": [{"name", "repository", "branch",
  "command", "cwd"}]}`.
- `POST /` takes every host's delivery, as JSON or as a form with a `payload` field.
- An answer to an accepted delivery says `"success": true` and lists the hooks that matched.

## What is different on purpose

| point | hooked | here |
|---|---|---|
| who may start a build | whoever reaches the port | who knows the project's secret |
| `GET /hooks/...`, `GET /hook/...` | run commands | 405, and how to do it instead |
| when the answer comes | after the command | at once, with the build's address |
| matching | short name, last part of the branch | host, name (as `match` says), full ref |
| `?repository=&branch=` | override the arguments | not looked at: they are not signed |
| body over 100 kB | 413 | taken, up to 25 MB, as hosts send it |
| malformed JSON, JSON list | 500 | 400 and 422, with what to do |

## Every recorded delivery

hooked's cell is its status and the arguments of the command it ran; ours is the status and what
becomes of the project.

| delivery | hooked 0.1 | hooked 0.3 | here | same? |
|---|---|---|---|---|
"""

SAME, OTHERWISE = "same", "on purpose"


@functools.cache
def recorded() -> dict[str, Any]:
    """What the original answered."""
    path = deliveries.FOLDER / "hooked-original-behaviour.json"
    return json.loads(path.read_text(encoding="utf-8"))


def page() -> str:
    """The whole page."""
    return INTRO + "".join(f"| {' | '.join(row(one))} |\n" for one in deliveries.all_of_them())


def row(name: str) -> tuple[str, ...]:
    """One line of the table: delivery, two originals, ours, and whether that is the same."""
    delivery = deliveries.all_of_them()[name]
    old = [recorded()[version]["post_fixtures"][name] for version in ("0.1", "0.3")]
    status, text = ours(delivery)
    theirs = (f"{one['status']} {_ran(one)}".strip() for one in old)
    return (name, *theirs, text, _verdict(delivery, old[1], status))


def ours(delivery: deliveries.Delivery) -> tuple[int, str]:
    """Status and outcome for a project that the delivery may be about."""
    event = delivery.read()
    host = event.host or "git.example"
    url = next((u for u in event.clone_urls if "://" in u), f"https://{host}/{event.repository}")
    changes = delivery.expected["changes"]
    signed = delivery.id not in deliveries.NO_PROOF
    entry = project.Project(
        name="shop",
        repository=url,
        ref=changes[0]["ref"] if changes else "main",
        webhook_secrets=("main",) if signed else (),
        allow_unsigned=not signed,
    )
    verdict = judge.judge(
        delivery.headers,
        delivery.body,
        matching.Index([entry]),
        lambda _: delivery.secret,
        now=delivery.now,
    )
    if verdict.refusal is not None:
        return verdict.refusal.status, f"{verdict.refusal.status} {verdict.refusal.message}"
    actions = [match.action for match in verdict.matches]
    reason = verdict.matches[0].reason if verdict.matches else verdict.note
    status = 202 if "build" in actions else 200
    return status, f"{status} {'builds' if status == 202 else 'ignored'}: {reason}"


def _ran(answer: dict[str, Any]) -> str:
    hooks = (answer["json"] or {}).get("hooks", [])
    found = (ARGUMENTS.search(hook["stdout"] or "") for hook in hooks)
    ran = dict.fromkeys(f"{match[1]} {match[2]}" for match in found if match)
    return f"`{'`, `'.join(ran)}`" if ran else ""


def _verdict(delivery: deliveries.Delivery, old: dict[str, Any], status: int) -> str:
    """Same where both start something, or neither does and neither fails."""
    if old["status"] == 200 and status == 202:
        name = delivery.expected["changes"][0]["name"]
        return f"{SAME}, whole branch name" if f" {name}`" not in _ran(old) else SAME
    if old["status"] == 200:
        gone = "a deletion builds nothing" if _is_deletion(delivery) else "its push builds"
        return f"{OTHERWISE}: {gone}"
    if status == 202:
        return f"{OTHERWISE}: it is a push"
    fault = "no failure" if old["status"] == 500 else "no error"
    return f"{OTHERWISE}: {fault} for what is of no interest"


def _is_deletion(delivery: deliveries.Delivery) -> bool:
    changes = delivery.expected["changes"]
    return delivery.expected["kind"] == "ref_delete" or any(c["deleted"] for c in changes)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
