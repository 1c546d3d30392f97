"""Bitbucket Cloud.

Several refs may move in one delivery; a deleted one has ``new: null``. Bodies hold no clone URL.
https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/
"""

from collections.abc import Sequence
from typing import Any

from build_hook import push
from build_hook.judging import signatures
from build_hook.judging.forges import base, fields

HOST = "bitbucket.org"
_REPOSITORY = ("repo:updated", "repo:transfer", "repo:created", "repo:deleted", "repo:imported")
_STATUSES = ("repo:commit_status_created", "repo:commit_status_updated")
_ENDS = ("SUCCESSFUL", "FAILED", "STOPPED")


class BitbucketCloud(base.Forge):
    """Reads Bitbucket Cloud's deliveries."""

    name = "bitbucket-cloud"

    def _read(self, headers: base.Headers, body: dict[str, Any]) -> push.Event:
        event = base.event_name(headers, "X-Event-Key")
        kind = _kind(event)
        moved = fields.mappings(fields.mapping(body.get("push")).get("changes"))
        repository = fields.mapping(body.get("repository"))
        return push.Event(
            provider=self.name,
            event=event,
            kind=kind,
            delivery_id=_delivery(headers),
            repository=fields.first_name(repository.get("full_name"), repository.get("fullName")),
            host=_host(repository),
            changes=fields.present(map(_change, moved)) if kind is push.Kind.PUSH else (),
            check=_check(body) if kind is push.Kind.WORKFLOW_RUN else None,
            renamed_from=_old_name(body) if kind is push.Kind.REPOSITORY else None,
        )

    def _prove(
        self,
        headers: base.Headers,
        body: bytes,
        secrets: Sequence[signatures.Secret],
        now: float,
    ) -> signatures.Proof:
        """SHA256, in the header that GitHub uses for SHA1."""
        value = headers.get("x-hub-signature")
        return signatures.hex_hmac(
            value, body, secrets, header="X-Hub-Signature", prefix="sha256="
        )


def _delivery(headers: base.Headers) -> str | None:
    """The request's id, which another attempt keeps, with that of the hook."""
    request, hook = headers.get("x-request-uuid"), headers.get("x-hook-uuid")
    return fields.name(f"{request}/{hook}" if request and hook else request)


def _host(repository: dict[str, Any]) -> str | None:
    """The one host; but an app for Data Center sends this form too, with links as a list."""
    links = fields.mapping(repository.get("links")).get("self")
    if "fullName" not in repository:
        return HOST
    return fields.host(*(link.get("href") for link in fields.mappings(links)))


def _kind(event: str) -> push.Kind:
    if event == "repo:push":
        return push.Kind.PUSH
    if event in _REPOSITORY:
        return push.Kind.REPOSITORY
    if event in _STATUSES:
        return push.Kind.WORKFLOW_RUN
    return push.Kind.PULL_REQUEST if event.startswith("pullrequest:") else push.Kind.OTHER


def _change(change: dict[str, Any]) -> push.Change | None:
    new, old = fields.mapping(change.get("new")), fields.mapping(change.get("old"))
    named = new or old
    short = fields.name(named.get("name"))
    if short is None:
        return None
    space = "tags" if "tag" in fields.word(named.get("type")) else "heads"
    target = fields.mapping(new.get("target"))
    made = change.get("created")
    return fields.change(
        f"refs/{space}/{short}",
        fields.mapping(old.get("target")).get("hash"),
        target.get("hash"),
        created=made if isinstance(made, bool) else not old,
        deleted=not new,
        forced=change.get("forced"),
        head={"message": target.get("message"), "author": _author(target)},
    )


def _check(body: dict[str, Any]) -> push.Check | None:
    """A build status that is final (Bitbucket's API, commit statuses)."""
    status = fields.mapping(body.get("commit_status"))
    link = fields.mapping(fields.mapping(status.get("links")).get("commit")).get("href")
    commit = fields.commit(fields.word(link).rpartition("/")[2])
    commit = commit or fields.commit(fields.mapping(status.get("commit")).get("hash"))
    if commit is None or status.get("state") not in _ENDS:
        return None
    return push.Check(
        commit=commit,
        branch=fields.name(status.get("refname")),
        name=fields.first_name(status.get("name"), status.get("key")) or "build",
        succeeded=status.get("state") == "SUCCESSFUL",
    )


def _author(target: dict[str, Any]) -> dict[str, Any]:
    author = fields.mapping(target.get("author"))
    user = fields.mapping(author.get("user"))
    return {"name": user.get("display_name") or author.get("raw")}


def _old_name(body: dict[str, Any]) -> str | None:
    """The full name before a rename, or in the workspace that gave the repository away."""
    changes = fields.mapping(body.get("changes"))
    before = fields.mapping(body.get("previous_workspace")).get("slug")
    full = fields.name(fields.mapping(body.get("repository")).get("full_name")) or ""
    return fields.name(fields.mapping(changes.get("full_name")).get("old")) or fields.full_name(
        before, full.rpartition("/")[2]
    )
