"""From a judgement to what is stored, queued and said."""

import json
from collections.abc import Iterable, Iterator, Mapping

from build_hook import holds
from build_hook.judging import judge
from build_hook.store import builds, deliveries
from build_hook.web import inbox

# Headers that are secrets themselves, where others carry a signature only.
SECRET_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "x-gitlab-token", "x-token"}
)
# The whole text is in the delivery.
LONGEST_MESSAGE = 1000


def is_kept(verdict: judge.Judgement) -> bool:
    """Whether a delivery is stored: nobody may fill the disk, or use up an id, without proof."""
    return verdict.verified is True or bool(verdict.matches)


def row(
    verdict: judge.Judgement,
    headers: Mapping[str, str],
    raw: bytes,
    *,
    remote: str,
    now: float,
) -> deliveries.Delivery:
    """The row of the inbox."""
    event = verdict.event
    assert event is not None  # noqa: S101 - what was not read is refused
    return deliveries.Delivery(
        received=now,
        provider=event.provider,
        delivery_id=event.delivery_id,
        event=event.event,
        remote=remote,
        headers=json.dumps(
            {name: "***" if name in SECRET_HEADERS else headers[name] for name in headers}
        ),
        body=raw,
        verdict=json.dumps(
            {
                "verified": verdict.verified,
                "secret": verdict.secret,
                "matches": [
                    {"project": m.project.name, "action": m.action, "reason": m.reason}
                    for m in verdict.matches
                ],
            }
        ),
    )


def requests(matches: Iterable[judge.Match]) -> Iterator[builds.Request]:
    """The builds that matches ask for."""
    for match in matches:
        if match.action == "build" and match.change is not None:
            yield builds.Request(
                match.project.name,
                match.change.ref,
                builds.Cause.PUSH,
                commit=match.change.after,
                message=_storable(match.change.head_message),
            )


def why_ignored(verdict: judge.Judgement, receipt: inbox.Receipt) -> str | None:
    """Why nothing new was started; None if something was."""
    if receipt.again:
        return "already received: a delivery with this id is here, its builds are listed"
    if receipt.builds:
        return None
    reasons = dict.fromkeys(f"{match.project.name}: {match.reason}" for match in verdict.matches)
    return "; ".join(reasons) or verdict.note or "no project follows this"


def why_waiting(verdict: judge.Judgement, receipt: inbox.Receipt, held: holds.Holds) -> str | None:
    """Why what was queued is not built yet: its project is paused or frozen."""
    queued = {build.project for build in receipt.builds}
    reasons = (held.why(m.project) for m in verdict.matches if m.project.name in queued)
    return "; ".join(dict.fromkeys(reason for reason in reasons if reason)) or None


def _storable(message: str | None) -> str | None:
    """The beginning of a message; JSON may hold half a character, which is no text."""
    if message is None:
        return None
    return message[:LONGEST_MESSAGE].encode(errors="replace").decode()
