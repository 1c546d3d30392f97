"""Gitea, and what its relatives Forgejo and Gogs share with it.

Bodies are in GitHub's form. The signature is the bare HMAC of the JSON text, also where that
text travels in a form. Each host's own header decides, although it sends GitHub's as well.
https://docs.gitea.com/usage/webhooks
"""

from collections.abc import Sequence
from typing import Any

from build_hook import push
from build_hook.judging import signatures
from build_hook.judging.forges import base, fields, github, payload


class Gitea(base.Forge):
    """Reads Gitea's deliveries."""

    name = "gitea"
    prefix = "X-Gitea-"

    def _read(self, headers: base.Headers, body: dict[str, Any]) -> push.Event:
        event = base.event_name(headers, f"{self.prefix}Event")
        delivery = fields.name(headers.get(f"{self.prefix}Delivery".lower()))
        return github.read(self.name, event, body, delivery)

    def _prove(
        self,
        headers: base.Headers,
        body: bytes,
        secrets: Sequence[signatures.Secret],
        now: float,
    ) -> signatures.Proof:
        header = f"{self.prefix}Signature"
        if payload.content_type(headers) == payload.FORM:
            body = payload.form_payload(body)
        return signatures.hex_hmac(headers.get(header.lower()), body, secrets, header=header)
