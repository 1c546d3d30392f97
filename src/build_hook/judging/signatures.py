"""Who sent a delivery: signatures and tokens, over the raw bytes, in constant time.

An empty secret and an empty digest never match. A header that is there and wrong decides:
there is no falling back to another one.
"""

import base64
import binascii
import dataclasses
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence

TOLERANCE = 300.0  # seconds a Standard Webhooks timestamp may differ from our clock
SIGNING_TOKEN = b"whsec_"
_SHORTEST_KEY = 24  # bytes: what Standard Webhooks asks of a key without its prefix
_SECONDS = re.compile(r"[0-9]{1,12}")


@dataclasses.dataclass(frozen=True, slots=True)
class Secret:
    """A shared secret under its name; ``sha1`` accepts GitHub's older signature as well."""

    name: str
    value: bytes = dataclasses.field(repr=False)
    sha1: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Proof:
    """Whether a delivery is genuine; None where no secret is known to tell by.

    ``advice`` says what to do if it is not.
    """

    verified: bool | None
    secret: str | None
    reason: str
    advice: str = ""


def hex_hmac(
    value: str | None, text: bytes, secrets: Sequence[Secret], *, header: str, prefix: str = ""
) -> Proof:
    """HMAC-SHA256 in hexadecimal digits, behind a prefix such as ``sha256=``."""

    def same(secret: Secret, given: bytes) -> bool:
        digest = hmac.digest(secret.value, text, "sha256").hex()
        return hmac.compare_digest(prefix.encode() + digest.encode(), given)

    return _first(value, secrets, same, header, empty=prefix)


def hex_sha1(value: str | None, text: bytes, secrets: Sequence[Secret], *, header: str) -> Proof:
    """HMAC-SHA1, for secrets that allow it; for hosts that have nothing else."""
    allowed = [secret for secret in secrets if secret.sha1]
    if not allowed:
        return Proof(False, None, f"{header} is SHA1, which is not accepted")

    def same(secret: Secret, given: bytes) -> bool:
        digest = hmac.new(secret.value, text, hashlib.sha1).hexdigest()
        return hmac.compare_digest(b"sha1=" + digest.encode(), given)

    return _first(value, allowed, same, header, empty="sha1=")


def token(value: str | None, secrets: Sequence[Secret], *, header: str) -> Proof:
    """The secret itself, in clear, as GitLab sends it."""

    def same(secret: Secret, given: bytes) -> bool:
        return hmac.compare_digest(secret.value, given)

    return _first(value, secrets, same, header)


def authorization(value: str | None, secrets: Sequence[Secret]) -> Proof:
    """``Authorization``: the secret verbatim, as a bearer token, or in HTTP basic.

    In HTTP basic the secret is the password under any user name, or ``user:password``.
    """
    scheme, _, rest = (value or "").partition(" ")
    credentials = [value or ""]
    if scheme.lower() == "bearer":
        credentials.append(rest.strip())
    if scheme.lower() == "basic":
        pair = _basic(rest)
        credentials += [pair, pair.partition(":")[2]]

    def same(secret: Secret, _: bytes) -> bool:
        given = [form for text in credentials if text for form in _octets(text)]
        return any(hmac.compare_digest(secret.value, form) for form in given)

    return _first(value, secrets, same, "Authorization")


def standard(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[Secret], now: float
) -> Proof:
    """Standard Webhooks: HMAC-SHA256 over id, timestamp and body, within five minutes.

    Any one ``v1`` signature of the list is enough; other versions are passed over.
    """
    stamp = headers.get("webhook-timestamp", "")
    identity = headers.get("webhook-id", "")
    fault = _untimely(stamp, now) if identity else "webhook-id is missing"
    if fault:
        return Proof(False, None, fault)
    content = b".".join((_octets(identity)[0], _octets(stamp)[0], body))

    def same(secret: Secret, given: bytes) -> bool:
        found = False
        for key in _signing_keys(secret.value):
            digest = base64.b64encode(hmac.digest(key, content, "sha256"))
            for signature in given.split()[:16]:
                found |= hmac.compare_digest(b"v1," + digest, signature)
        return found

    return _first(headers.get("webhook-signature"), secrets, same, "webhook-signature")


def _first(
    value: str | None,
    secrets: Sequence[Secret],
    same: Callable[[Secret, bytes], bool],
    header: str,
    empty: str = "",
) -> Proof:
    if value is None:
        return Proof(False, None, f"{header} is missing")
    if value.strip() == empty:
        return Proof(False, None, f"{header} is empty")
    for secret in secrets:
        if secret.value and any(same(secret, given) for given in _octets(value)):
            return Proof(True, secret.name, f"{header} matches secret {secret.name}")
    return Proof(False, None, f"{header} does not match")


def _octets(text: str) -> tuple[bytes, ...]:
    """The bytes that a header's text may have been: HTTP carries Latin-1, people write UTF-8."""
    if text.isascii():
        return (text.encode(),)
    utf8 = text.encode("utf-8", "replace")
    return (text.encode("latin-1", "replace"), utf8)


def _basic(encoded: str) -> str:
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""


def _untimely(stamp: str, now: float) -> str:
    if not _SECONDS.fullmatch(stamp):
        return "webhook-timestamp is missing or not a number"
    if abs(now - int(stamp)) > TOLERANCE:
        return f"webhook-timestamp is more than {TOLERANCE:.0f} s away from this clock"
    return ""


def _signing_keys(value: bytes) -> list[bytes]:
    """The keys a secret may stand for: base64 behind ``whsec_``, else as written or base64."""
    encoded = value.removeprefix(SIGNING_TOKEN)
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if value.startswith(SIGNING_TOKEN):
        return [key] if key else []
    return [value, key] if len(key) >= _SHORTEST_KEY else [value]
