"""The real deliveries of tests/data/webhooks, for whatever test needs them."""

import base64
import dataclasses
import functools
import hmac
import json
import pathlib
import urllib.parse
from typing import Any

from build_hook import push
from build_hook.judging import forges, signatures

FOLDER = pathlib.Path(__file__).parent / "data" / "webhooks"
NO_PROOF = ("bitbucket-legacy-post-form", "bbdc-ping", "dockerhub-push")


@dataclasses.dataclass(frozen=True)
class Delivery:
    """One delivery with lower-case header names, and how it should read."""

    id: str
    provider: str
    event: str
    headers: dict[str, str]
    body: bytes
    secret: bytes
    expected: dict[str, Any]

    @property
    def now(self) -> float:
        """A time at which it may have arrived."""
        return float(self.headers.get("webhook-timestamp", 1_800_000_000))

    def read(self) -> push.Event:
        return forges.detect(self.headers).read(
            self.headers, forges.decode(self.headers, self.body)
        )

    def prove(self, secret: bytes | None = None, **changes: Any) -> signatures.Proof:
        """Prove it with its own secret or another, with its headers and body or others."""
        headers = changes.get("headers", self.headers)
        secrets = [signatures.Secret("main", self.secret if secret is None else secret)]
        body = changes.get("body", self.body)
        return forges.detect(headers).prove(headers, body, secrets, self.now)

    @property
    def proof_header(self) -> str:
        """The header that carries the proof."""
        scheme = ("x-forgejo-signature", "x-gitea-signature", "x-gogs-signature")
        others = ("webhook-signature", "x-gitlab-token", "x-hub-signature-256")
        names = (*scheme, *others, "x-hub-signature", "authorization")
        return next(name for name in names if name in self.headers)

    @property
    def covers_body(self) -> bool:
        """Whether the proof is over the body; other hosts send the secret itself."""
        return self.id not in NO_PROOF and self.proof_header not in (
            "authorization",
            "x-gitlab-token",
        )


@functools.cache
def all_of_them() -> dict[str, Delivery]:
    """Every delivery by its id."""
    index = json.loads((FOLDER / "index.json").read_text(encoding="utf-8"))
    return {entry["id"]: _delivery(entry) for entry in index["fixtures"]}


def signed() -> list[Delivery]:
    """Those that carry a proof."""
    return [one for one in all_of_them().values() if one.id not in NO_PROOF]


def vectors() -> list[dict[str, Any]]:
    """Good and bad signatures."""
    return json.loads((FOLDER / "vectors.json").read_text(encoding="utf-8"))["vectors"]


def sign(delivery: Delivery, payload: object, secret: bytes | None = None) -> Delivery:
    """The same delivery with another payload, signed anew as its host does."""
    key = delivery.secret if secret is None else secret
    text = json.dumps(payload).encode()
    is_form = "form" in delivery.headers.get("content-type", "")
    body = urllib.parse.urlencode({"payload": text}).encode() if is_form else text
    headers = dict(delivery.headers)
    raw = hmac.digest(key, body, "sha256").hex()
    bare = hmac.digest(key, text, "sha256").hex()
    fresh = {f"x-{host}-signature": bare for host in ("forgejo", "gitea", "gogs")}
    fresh["x-hub-signature-256"] = f"sha256={raw}"
    if delivery.provider.startswith("bitbucket"):
        fresh["x-hub-signature"] = f"sha256={raw}"
    if "webhook-signature" in headers:
        fresh["webhook-signature"] = _standard(headers, key, body)
    headers |= {name: value for name, value in fresh.items() if name in headers}
    return dataclasses.replace(delivery, headers=headers, body=body)


def _standard(headers: dict[str, str], key: bytes, body: bytes) -> str:
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    raw = base64.b64decode(key.removeprefix(b"whsec_"))
    return "v1," + base64.b64encode(hmac.digest(raw, content, "sha256")).decode()


def _delivery(entry: dict[str, Any]) -> Delivery:
    return Delivery(
        id=entry["id"],
        provider=entry["provider"],
        event=entry["event"],
        headers={name.lower(): value for name, value in entry["headers"].items()},
        body=(FOLDER / entry["body_file"]).read_bytes(),
        secret=(entry["verification"]["secret"] or "shared-fixture-secret-A1").encode(),
        expected=entry["expected"],
    )
