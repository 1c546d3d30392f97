"""Standard Webhooks: whoever signs that way, with a body of no known host.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from collections.abc import Sequence
from typing import Any

from build_hook import push
from build_hook.judging import signatures
from build_hook.judging.forges import base, fields, generic


class StandardWebhooks(base.Forge):
    """Reads ``{"type", "timestamp", "data"}`` with generic data, or a generic body."""

    name = "standard-webhooks"
    setting = "the endpoint's signing secret"

    def _read(self, headers: base.Headers, body: dict[str, Any]) -> push.Event:
        data = fields.mapping(body.get("data"))
        content = {"type": body.get("type"), **data} if data else body
        return generic.read(self.name, content, fields.name(headers.get("webhook-id")))

    def _prove(
        self,
        headers: base.Headers,
        body: bytes,
        secrets: Sequence[signatures.Secret],
        now: float,
    ) -> signatures.Proof:
        return signatures.standard(headers, body, secrets, now)
