"""A stored delivery, judged again because somebody said so.

Who sent it was settled when it came: its secrets may be gone since, headers that hold one are
not kept, and its time window is over. So it counts for the projects it was accepted for then,
and for no others; what it means for them is judged by the registry of today.
"""

import dataclasses

from build_hook import errors, push
from build_hook.judging import decision, forges, matching
from build_hook.store import archive, deliveries, records
from build_hook.web import delivery


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a replay."""

    delivery: int
    builds: tuple[deliveries.Queued, ...]
    reasons: tuple[str, ...]


def replay(stored: archive.Archive, index: matching.Index, number: int, *, actor: str) -> Outcome:
    """Queue what a delivery asks for; ``actor`` is recorded with it.

    Raises:
        StoreError: if there is no such delivery.
        ReplayError: if it can no longer be read.
    """
    kept = stored.get(number)
    matches = judge(kept, read(kept, stored.body(number)), index)
    requests = [
        dataclasses.replace(request, cause=records.Cause.REPLAY)
        for request in delivery.requests(matches)
    ]
    queued = tuple(stored.replay(number, requests, actor))
    reasons = [f"{match.project.name}: {match.reason}" for match in matches]
    reasons += [f"{name}: it is not registered any more" for name in gone(kept, index)]
    return Outcome(number, queued, tuple(reasons) or ("it was about no project",))


def read(kept: archive.Kept, body: bytes) -> push.Event:
    """The event of a stored delivery.

    Raises:
        ReplayError: if it can no longer be read.
    """
    try:
        forge = forges.by_name(kept.provider)
        return forge.read(kept.headers, forges.decode(kept.headers, body))
    except forges.UnreadableError as error:
        raise errors.ReplayError(
            f"Delivery {kept.id} cannot be read: {error.message}", error.hint
        ) from error


def judge(
    kept: archive.Kept, event: push.Event, index: matching.Index
) -> tuple[decision.Match, ...]:
    """What it means today for the projects that it was accepted for."""
    found = [index.find(name) for name in _accepted(kept)]
    return tuple(match for entry in found if entry for match in decision.decide(entry, event))


def gone(kept: archive.Kept, index: matching.Index) -> list[str]:
    """The projects that it was accepted for and that are not registered any more."""
    return [name for name in _accepted(kept) if index.find(name) is None]


def _accepted(kept: archive.Kept) -> list[str]:
    return list(dict.fromkeys(str(match["project"]) for match in kept.matches))
