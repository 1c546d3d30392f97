"""Gitea, and what its relatives Forgejo and Gogs share with it.

Bodies are in GitHub's form. The signature is the bare HMAC of the JSON text, also where that
text travels in a form. Each host's own header decides, although it sends GitHub's as well. Only
packages are described in other words than GitHub's.
https://docs.gitea.com/usage/webhooks
"""

import dataclasses
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
        found = github.read(self.name, event, body, delivery)
        return dataclasses.replace(found, images=_images(body)) if event == "package" else found

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


def _images(body: dict[str, Any]) -> tuple[push.ImagePush, ...]:
    """A container image in the host's own registry; an image without a tag has its digest."""
    package = fields.mapping(body.get("package"))
    owner = fields.mapping(package.get("owner"))
    login = fields.first_name(owner.get("login"), owner.get("username"))
    name = fields.full_name(login, package.get("name"))
    if package.get("type") != "container" or body.get("action") != "created" or name is None:
        return ()
    version = fields.name(package.get("version"))
    is_digest = version is not None and ":" in version
    tag, digest = (None, version) if is_digest else (version, None)
    return (push.ImagePush(name.lower(), tag, digest, fields.registry(package.get("html_url"))),)
