"""The verdict on one delivery: what it says, who sent it, which projects it moves.

No HTTP and no database here: headers and bytes in, a Judgement out.
"""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Literal

from build_hook import addresses, errors, project, push
from build_hook.judging import decision, forges, matching, signatures

Match = decision.Match
# who sends what no documentation describes
_ANYBODY = ("generic", "standard-webhooks")
# whose ids name an event, and not what is sent to one of several addresses
_EVENT_IDS = (*_ANYBODY, "registry")
SecretValues = Callable[[str], bytes | None]
Status = Literal[400, 401, 403, 404, 415, 422]


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """Why a delivery is turned away, as an HTTP status and words for the git host's own page."""

    status: int
    message: str
    hint: str


@dataclasses.dataclass(frozen=True, slots=True)
class Judgement:
    """A delivery, judged.

    ``verified`` is None where no secret is known; ``secret`` is the name of the one that
    matched. ``note`` says why there are no matches where that is no fault.
    """

    event: push.Event | None = None
    verified: bool | None = None
    secret: str | None = None
    matches: tuple[Match, ...] = ()
    refusal: Refusal | None = None
    note: str = ""


class _RefusedError(errors.BuildHookError):
    def __init__(self, status: Status, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.status = status


def judge(
    headers: forges.Headers,
    body: bytes,
    index: matching.Index,
    secret_values: SecretValues,
    *,
    only: str | None = None,
    remote: str | None = None,
    now: float,
) -> Judgement:
    """Judge a delivery; ``only`` names the project it was addressed to, ``remote`` its sender.

    Header names are lower-case. A delivery to one project is verified before its body is
    parsed; one to all is parsed first, since its body says whose secrets to verify with.
    """
    try:
        if only is not None:
            return _addressed(headers, body, index, secret_values, only, remote, now)
        return _open(headers, body, index, secret_values, remote, now)
    except (forges.UnreadableError, _RefusedError) as error:
        return Judgement(refusal=Refusal(error.status, error.message, error.hint))


def known_secrets(
    entry: project.Project, secret_values: SecretValues
) -> tuple[signatures.Secret, ...]:
    """The secrets of a project that have a value."""
    values = ((name, secret_values(name)) for name in entry.webhook_secrets)
    return tuple(
        signatures.Secret(name, value, entry.allow_sha1) for name, value in values if value
    )


def prove(
    entry: project.Project,
    headers: forges.Headers,
    body: bytes,
    secret_values: SecretValues,
    now: float,
) -> signatures.Proof:
    """Whether the delivery is from the project's git host; None if it has no secret to tell."""
    found = forges.detect(headers).name
    if entry.provider is not None and found not in (entry.provider, "generic"):
        reason = f"it comes from {found}, the project takes deliveries of {entry.provider}"
        return signatures.Proof(
            False, None, reason, "Correct the project's provider in the registry, or remove it"
        )
    secrets = known_secrets(entry, secret_values)
    if entry.webhook_secrets and not secrets:
        reason = f"secret {entry.webhook_secrets[0]} has no value here"
        return signatures.Proof(
            False, None, reason, "Write it into the file of that name among the state's secrets"
        )
    forge = _forge(entry, headers)
    advice = f"On the git host, set {forge.setting} to the project's secret, then redeliver"
    proof = forge.prove(headers, body, secrets, now)
    return proof if proof.verified is True else dataclasses.replace(proof, advice=advice)


def _addressed(
    headers: forges.Headers,
    body: bytes,
    index: matching.Index,
    secret_values: SecretValues,
    only: str,
    remote: str | None,
    now: float,
) -> Judgement:
    entry = index.find(only)
    if entry is None:
        raise _RefusedError(
            404, "No project has this name", "See build-hook projects, or register it first"
        )
    if not _may_send(entry, remote):
        raise _elsewhere(entry, remote)
    forge = _forge(entry, headers)
    proof = prove(entry, headers, body, secret_values, now)
    if not _accepts(entry, proof) and not forge.never_signs(headers):
        raise _unproven([(entry, proof)])
    event = _of_one(entry, forge.read(headers, forges.decode(headers, body)))
    if event.kind is push.Kind.PING:
        return Judgement(event, proof.verified, proof.secret, note="ping")
    if not _accepts(entry, proof):
        raise _unproven([(entry, proof)])
    return Judgement(event, proof.verified, proof.secret, decision.decide(entry, event))


def _of_one(entry: project.Project, event: push.Event) -> push.Event:
    """The event with an id of its own, where others get word of it under the same id."""
    if event.delivery_id is None or event.provider not in _EVENT_IDS:
        return event
    return dataclasses.replace(event, delivery_id=f"{event.delivery_id}/{entry.name}")


def _open(
    headers: forges.Headers,
    body: bytes,
    index: matching.Index,
    secret_values: SecretValues,
    remote: str | None,
    now: float,
) -> Judgement:
    event = forges.detect(headers).read(headers, forges.decode(headers, body))
    known = index.candidates(event)
    if not known:
        return _nobody(event)
    candidates = [entry for entry in known if _may_send(entry, remote)]
    if not candidates:
        raise _elsewhere(known[0], remote)
    proofs = [(entry, prove(entry, headers, body, secret_values, now)) for entry in candidates]
    accepted = [(entry, proof) for entry, proof in proofs if _accepts(entry, proof)]
    if not accepted:
        raise _unproven(proofs)
    best = max((proof for _, proof in accepted), key=lambda proof: proof.verified is True)
    if event.kind is push.Kind.PING:
        return Judgement(event, best.verified, best.secret, note="ping")
    moved = tuple(match for entry, _ in accepted for match in decision.decide(entry, event))
    return Judgement(event, best.verified, best.secret, moved)


def _nobody(event: push.Event) -> Judgement:
    """What an event gets that no project is about; senders that insist get no error."""
    if event.kind is push.Kind.PING:
        return Judgement(event, note="ping")
    if event.kind is push.Kind.IMAGE_PUSH:
        return Judgement(event, note="no project follows this image")
    if event.repository is None and event.provider in _ANYBODY:
        raise _RefusedError(
            422,
            "The body names no repository",
            "Send a git host's delivery with all its headers, or repository and ref as JSON",
        )
    if event.repository is None:
        return Judgement(event, note="the event is about no repository")
    raise _RefusedError(
        404,
        "No project has this repository",
        "Register it with build-hook add, or correct the project's repository URL; "
        "a delivery to /hooks/PROJECT is matched without the host's name",
    )


def _forge(entry: project.Project, headers: forges.Headers) -> forges.Forge:
    return forges.by_name(entry.provider) if entry.provider else forges.detect(headers)


def _may_send(entry: project.Project, remote: str | None) -> bool:
    return remote is None or not entry.allow_from or addresses.admits(entry.allow_from, remote)


def _elsewhere(entry: project.Project, remote: str | None) -> _RefusedError:
    return _RefusedError(
        403,
        f"Project {entry.name} takes no deliveries from {remote}",
        "Add the git host's address to the project's allow_from; if a proxy stands in front of "
        "this server, add the proxy to trusted_proxies in the settings",
    )


def _accepts(entry: project.Project, proof: signatures.Proof) -> bool:
    return proof.verified is True or (proof.verified is None and entry.allow_unsigned)


def _unproven(proofs: Iterable[tuple[project.Project, signatures.Proof]]) -> _RefusedError:
    entry, proof = next(iter(proofs))
    if proof.verified is None:
        return _RefusedError(
            401,
            f"Project {entry.name} has no secret, so nobody can prove who sent this",
            "Give the project a secret and set the same on the git host, or say "
            "allow_unsigned in the registry",
        )
    return _RefusedError(
        401,
        f"Nothing proves that this is meant for project {entry.name}: {proof.reason}",
        proof.advice,
    )
