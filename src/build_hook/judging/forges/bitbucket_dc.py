"""Bitbucket Data Center and Server.

A repository's full name is ``PROJECT/slug``. ``diagnostics:ping`` is never signed. No event
tells of a build's status.
https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html
"""

from collections.abc import Sequence
from typing import Any

from build_hook import push
from build_hook.judging import signatures
from build_hook.judging.forges import base, fields

_KINDS = {
    "repo:refs_changed": push.Kind.PUSH,
    "mirror:repo_synchronized": push.Kind.MIRROR_SYNC,
    "repo:modified": push.Kind.REPOSITORY,
    "diagnostics:ping": push.Kind.PING,
}


class BitbucketDC(base.Forge):
    """Reads Bitbucket Data Center's deliveries."""

    name = "bitbucket-dc"

    def _read(self, headers: base.Headers, body: dict[str, Any]) -> push.Event:
        event = base.event_name(headers, "X-Event-Key")
        is_request = event.startswith("pr:")
        repository = _repository(body)
        full, old = _full_name(repository), _full_name(fields.mapping(body.get("old")))
        urls = () if is_request else fields.names(*_links(repository, "clone"))
        return push.Event(
            provider=self.name,
            event=event,
            kind=push.Kind.PULL_REQUEST if is_request else _KINDS.get(event, push.Kind.OTHER),
            delivery_id=fields.name(headers.get("x-request-id")),
            repository=full,
            host=fields.host(*_links(repository, "clone"), *_links(repository, "self")),
            clone_urls=urls,
            changes=() if is_request else _changes(body),
            renamed_from=old if old != full else None,
            unlisted=_is_unlisted(body),
        )

    def _prove(
        self,
        headers: base.Headers,
        body: bytes,
        secrets: Sequence[signatures.Secret],
        now: float,
    ) -> signatures.Proof:
        value = headers.get("x-hub-signature")
        if value is None and "authorization" in headers:
            return signatures.authorization(headers["authorization"], secrets)
        return signatures.hex_hmac(
            value, body, secrets, header="X-Hub-Signature", prefix="sha256="
        )

    def never_signs(self, headers: base.Headers) -> bool:
        """Whether this is the ping of "Test connection"."""
        return headers.get("x-event-key") == "diagnostics:ping"


def _is_unlisted(body: dict[str, Any]) -> bool:
    """Whether a mirror took over more refs than it lists."""
    return body.get("refLimitExceeded") is True or body.get("syncType") == "SNAPSHOT"


def _repository(body: dict[str, Any]) -> dict[str, Any]:
    request = fields.mapping(body.get("pullRequest"))
    target = fields.mapping(fields.mapping(request.get("toRef")).get("repository"))
    return fields.mapping(body.get("repository")) or target or fields.mapping(body.get("new"))


def _full_name(repository: dict[str, Any]) -> str | None:
    project = fields.mapping(repository.get("project"))
    return fields.full_name(project.get("key"), repository.get("slug"))


def _links(repository: dict[str, Any], kind: str) -> list[Any]:
    links = fields.mapping(repository.get("links"))
    return [link.get("href") for link in fields.mappings(links.get(kind))]


def _changes(body: dict[str, Any]) -> tuple[push.Change, ...]:
    commits = [fields.mapping(body.get("toCommit")), *fields.mappings(body.get("commits"))]
    return fields.present(
        _change(change, commits) for change in fields.mappings(body.get("changes"))
    )


def _change(change: dict[str, Any], commits: list[dict[str, Any]]) -> push.Change | None:
    ref = fields.mapping(change.get("ref")).get("id") or change.get("refId")
    after, what = change.get("toHash"), change.get("type")
    head = next((one for one in commits if after and one.get("id") == after), None)
    if fields.name(ref) is None:
        return None
    return fields.change(
        ref,
        change.get("fromHash"),
        after,
        created=what == "ADD" if isinstance(what, str) else None,
        deleted=what == "DELETE",
        head=head,
    )
