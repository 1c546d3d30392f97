"""JSON of no known host: a repository, a ref, a commit; also deliveries without a host's headers.

Hosts that put nothing of their own into the headers are told by the shape of the body.
"""

from collections.abc import Sequence
from typing import Any

from build_hook import push
from build_hook.judging import signatures
from build_hook.judging.forges import (
    azure,
    base,
    bitbucket_legacy,
    dockerhub,
    fields,
    harbor,
    registry,
)

_BY_SHAPE = (
    azure.Azure(),
    bitbucket_legacy.BitbucketLegacy(),
    dockerhub.DockerHub(),
    harbor.Harbor(),
    registry.Registry(),
)


class Generic(base.Forge):
    """Reads what any script can send.

    ``{"repository": "owner/name" or a clone URL or {"full_name", "clone_url"}, "ref", "before",
    "after", "message"}``; ``branch`` may stand for ``ref`` and ``commit`` for ``after``.
    """

    name = "generic"
    setting = "the Authorization header, or the key of X-Hub-Signature-256,"

    def _read(self, headers: base.Headers, body: dict[str, Any]) -> push.Event:
        for forge in _BY_SHAPE:
            if forge.claims(body):
                return forge.read(headers, body)
        return read(self.name, body, fields.name(headers.get("x-request-id")))

    def _prove(
        self,
        headers: base.Headers,
        body: bytes,
        secrets: Sequence[signatures.Secret],
        now: float,
    ) -> signatures.Proof:
        value = headers.get("x-hub-signature-256")
        if value is None and "authorization" in headers:
            return signatures.authorization(headers["authorization"], secrets)
        return signatures.hex_hmac(
            value, body, secrets, header="X-Hub-Signature-256", prefix="sha256="
        )


def read(provider: str, body: dict[str, Any], delivery: str | None) -> push.Event:
    """An event from plain JSON: what names a repository and a ref is a push."""
    name, urls = _repository(body.get("repository"))
    after = body.get("after") or body.get("commit")
    change = fields.change(
        body.get("ref") or body.get("branch"),
        body.get("before"),
        after,
        created=body.get("created"),
        deleted=body.get("deleted"),
        forced=body.get("forced"),
        head=fields.head(body, after) or {"message": body.get("message")},
    )
    return push.Event(
        provider=provider,
        event=fields.first_name(body.get("event"), body.get("type")) or "push",
        kind=push.Kind.PUSH if name and change else push.Kind.OTHER,
        delivery_id=delivery,
        repository=name,
        host=fields.host(*urls),
        clone_urls=urls,
        changes=fields.present([change]) if name else (),
    )


def _repository(value: object) -> tuple[str | None, tuple[str, ...]]:
    """The full name and the clone URLs."""
    if isinstance(value, str):
        full = fields.full_name_in(value)
        return (full, fields.names(value)) if full else (fields.name(value), ())
    found = fields.mapping(value)
    urls = fields.names(*(found.get(key) for key in ("clone_url", "ssh_url", "git_url", "url")))
    full = found.get("full_name") or found.get("path_with_namespace")
    parts = fields.full_name(found.get("owner"), found.get("slug") or found.get("name"))
    return fields.name(full) or fields.full_name_in(*urls) or parts, urls
