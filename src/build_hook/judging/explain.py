"""A delivery explained without acting: the JSON object of ``build-hook explain``."""

import dataclasses
from typing import Any

from build_hook import project, push
from build_hook.judging import decision, forges, judge, matching, sentence, signatures
from build_hook.store import archive
from build_hook.web import replay

GIVEN = "the one given"


def look(
    headers: forges.Headers,
    body: bytes,
    index: matching.Index,
    secret_values: judge.SecretValues,
    *,
    given: bytes | None = None,
    now: float,
) -> dict[str, Any]:
    """Read and verify a delivery, and say what would follow; ``given`` is a secret to try.

    Raises:
        UnreadableError: if it cannot be understood.
    """
    forge = forges.detect(headers)
    event = forge.read(headers, forges.decode(headers, body))
    candidates = index.candidates(event)
    if given is not None:
        proof = forge.prove(headers, body, [signatures.Secret(GIVEN, given)], now)
        proofs = [proof] * len(candidates)
    else:
        proofs = [judge.prove(entry, headers, body, secret_values, now) for entry in candidates]
        proof = _best(proofs)
    matches = [
        match
        for entry, known in zip(candidates, proofs, strict=True)
        for match in _expected(entry, event, known)
    ]
    return describe(judge.Judgement(event, proof.verified, proof.secret, tuple(matches)))


def recall(kept: archive.Kept, body: bytes, index: matching.Index) -> dict[str, Any]:
    """Say what would follow if a stored delivery were replayed; who sent it is known.

    Raises:
        ReplayError: if it can no longer be read.
    """
    event = replay.read(kept, body)
    matches = replay.judge(kept, event, index)
    found = describe(judge.Judgement(event, kept.verified, kept.secret, matches))
    found["matches"] += [
        {"project": name, "action": "ignore", "reason": "it is not registered any more"}
        for name in replay.gone(kept, index)
    ]
    return found


def describe(judgement: judge.Judgement) -> dict[str, Any]:
    """A judgement with an event as the contract's object."""
    event = judgement.event
    assert event is not None  # noqa: S101 - a refusal has its own words
    return {
        "provider": event.provider,
        "event": event.event,
        "kind": str(event.kind),
        "repository": event.repository,
        "clone_urls": list(event.clone_urls),
        "changes": [_change(change) for change in event.changes],
        "verified": judgement.verified,
        "matches": [_match(match) for match in judgement.matches],
        "summary": sentence.say(event, judgement.verified, judgement.matches),
    }


def _match(match: decision.Match) -> dict[str, Any]:
    found = {"project": match.project.name, "action": match.action, "reason": match.reason}
    warnings = "; ".join(match.project.warnings)
    return {**found, "warning": warnings} if warnings else found


def _change(change: push.Change) -> dict[str, Any]:
    return {
        "ref": change.ref,
        "ref_type": str(change.ref_type),
        "name": change.name,
        "before": change.before,
        "after": change.after,
        "created": change.created,
        "deleted": change.deleted,
        "head_message": change.head_message,
    }


def _best(proofs: list[signatures.Proof]) -> signatures.Proof:
    """One verdict of several: genuine if one secret says so, not if one was tried in vain."""
    unknown = signatures.Proof(None, None, "no secret is known to verify with")
    order = {True: 2, False: 1, None: 0}
    return max(proofs, key=lambda proof: order[proof.verified], default=unknown)


def _expected(
    entry: project.Project, event: push.Event, proof: signatures.Proof
) -> tuple[decision.Match, ...]:
    """What would follow; where nothing is known to verify with, what would if it were genuine."""
    if proof.verified is False:
        return (decision.Match(entry, "ignore", f"refused: {proof.reason}"),)
    matches = decision.decide(entry, event)
    if proof.verified or entry.allow_unsigned:
        return matches
    doubt = "the server refuses it until a secret proves who sent it"
    return tuple(dataclasses.replace(one, reason=f"{one.reason}; {doubt}") for one in matches)
