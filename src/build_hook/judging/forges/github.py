"""GitHub, on github.com and on Enterprise Server.

https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

from collections.abc import Sequence
from typing import Any

from build_hook import push
from build_hook.judging import signatures
from build_hook.judging.forges import base, fields, github_checks

EVENT = "X-GitHub-Event"
KINDS = {
    "push": push.Kind.PUSH,
    "create": push.Kind.REF_CREATE,
    "delete": push.Kind.REF_DELETE,
    "ping": push.Kind.PING,
    "pull_request": push.Kind.PULL_REQUEST,
    "release": push.Kind.RELEASE,
    "workflow_run": push.Kind.WORKFLOW_RUN,
    "repository": push.Kind.REPOSITORY,
    "package": push.Kind.PACKAGE,
    "registry_package": push.Kind.PACKAGE,
}
_REGISTRY = "ghcr.io"
_CONTAINERS = {"container", "docker"}


class GitHub(base.Forge):
    """Reads GitHub's deliveries."""

    name = "github"

    def _read(self, headers: base.Headers, body: dict[str, Any]) -> push.Event:
        event = base.event_name(headers, EVENT)
        return read(self.name, event, body, _delivery(headers))

    def _prove(
        self,
        headers: base.Headers,
        body: bytes,
        secrets: Sequence[signatures.Secret],
        now: float,
    ) -> signatures.Proof:
        value, old = headers.get("x-hub-signature-256"), headers.get("x-hub-signature")
        if value is None and old is not None:
            return signatures.hex_sha1(old, body, secrets, header="X-Hub-Signature")
        return signatures.hex_hmac(
            value, body, secrets, header="X-Hub-Signature-256", prefix="sha256="
        )


def _delivery(headers: base.Headers) -> str | None:
    """The GUID is one for all hooks of an event; with the hook's own id it names the delivery."""
    guid, hook = headers.get("x-github-delivery"), headers.get("x-github-hook-id")
    return fields.name(f"{guid}/{hook}" if guid and hook else guid)


def read(provider: str, event: str, body: dict[str, Any], delivery: str | None) -> push.Event:
    """An event in GitHub's form, which Gitea, Forgejo and Gogs send too."""
    kind = KINDS.get(event, push.Kind.OTHER)
    repository = fields.mapping(body.get("repository"))
    host = fields.host(*(repository.get(key) for key in ("clone_url", "html_url", "url")))
    return push.Event(
        provider=provider,
        event=event,
        kind=kind,
        delivery_id=delivery,
        action=fields.name(body.get("action")),
        repository=_full_name(repository),
        host=host,
        clone_urls=fields.names(*(repository.get(k) for k in ("clone_url", "ssh_url", "git_url"))),
        changes=_changes(body) if kind is push.Kind.PUSH else (),
        check=github_checks.read(event, body),
        images=_images(body, host) if kind is push.Kind.PACKAGE else (),
        renamed_from=_old_name(body, repository) if kind is push.Kind.REPOSITORY else None,
    )


def _full_name(repository: dict[str, Any]) -> str | None:
    """The full name; before 2014 it had to be put together."""
    found = fields.name(repository.get("full_name"))
    if found is not None:
        return found
    owner = fields.mapping(repository.get("owner"))
    login = fields.first_name(owner.get("login"), owner.get("username"), owner.get("name"))
    return fields.full_name(login, repository.get("name"))


def _changes(body: dict[str, Any]) -> tuple[push.Change, ...]:
    after = body.get("after")
    change = fields.change(
        body.get("ref"),
        body.get("before"),
        after,
        created=body.get("created"),
        deleted=body.get("deleted"),
        forced=body.get("forced"),
        head=fields.head(body, after),
    )
    return fields.present([change])


def _images(body: dict[str, Any], host: str | None) -> tuple[push.ImagePush, ...]:
    """A container image in GitHub's registry."""
    package = fields.mapping(body.get("registry_package") or body.get("package"))
    version = fields.mapping(package.get("package_version"))
    said = (package.get("package_type"), package.get("ecosystem"))
    kinds = {fields.word(word).lower() for word in said}
    if not kinds & _CONTAINERS or body.get("action") not in ("published", "updated"):
        return ()
    metadata = fields.mapping(version.get("container_metadata"))
    tag = fields.mapping(metadata.get("tag"))
    manifest = fields.mapping(metadata.get("manifest"))
    found = fields.image(version.get("package_url")) or _image_named(package, host)
    if found is None:
        return ()
    registry, name, tag_of_url = found
    digest = fields.first_name(tag.get("digest"), manifest.get("digest"))
    return (push.ImagePush(name, fields.name(tag.get("name")) or tag_of_url, digest, registry),)


def _image_named(package: dict[str, Any], host: str | None) -> tuple[str | None, str, None] | None:
    name = fields.full_name(package.get("namespace"), package.get("name"))
    return (_REGISTRY if host == "github.com" else None, name.lower(), None) if name else None


def _old_name(body: dict[str, Any], repository: dict[str, Any]) -> str | None:
    """The full name before a rename or a transfer."""
    changes = fields.mapping(body.get("changes"))
    renamed = fields.mapping(fields.mapping(changes.get("repository")).get("name")).get("from")
    moved = fields.mapping(fields.mapping(changes.get("owner")).get("from"))
    before = fields.mapping(moved.get("user") or moved.get("organization")).get("login")
    if renamed is None and before is None:
        return None
    owner = before or fields.mapping(repository.get("owner")).get("login")
    return fields.full_name(owner, renamed or repository.get("name"))
