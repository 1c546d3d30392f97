"""Azure DevOps service hooks.

They sign nothing: HTTP basic, or a header of one's own, carries the secret.
https://learn.microsoft.com/azure/devops/service-hooks/events
"""

from typing import Any

from build_hook import push
from build_hook.judging.forges import azure_checks, base, fields


class Azure(base.TokenForge):
    """Reads Azure DevOps' deliveries."""

    name = "azure-devops"
    setting = "the service hook's basic authentication password"

    def claims(self, body: dict[str, Any]) -> bool:
        """Whether the body is of a service hook."""
        return isinstance(body.get("eventType"), str) and isinstance(body.get("resource"), dict)

    def _read(self, headers: base.Headers, body: dict[str, Any]) -> push.Event:
        event = fields.name(body.get("eventType"))
        if event is None:
            raise base.UnreadableError(
                422, "The body has no eventType", "Send it from an Azure DevOps service hook"
            )
        resource = fields.mapping(body.get("resource"))
        repository = fields.mapping(resource.get("repository"))
        is_push, is_check = event == "git.push", azure_checks.is_one(event)
        full, urls = azure_checks.source(resource) if is_check else _source(repository)
        changes = _changes(resource) if is_push else ()
        return push.Event(
            provider=self.name,
            event=event,
            kind=_kind(event),
            delivery_id=_delivery(body),
            repository=full,
            host=fields.host(*urls, repository.get("url")),
            clone_urls=urls,
            changes=changes,
            check=azure_checks.read(event, resource),
            renamed_from=_old_name(resource, repository),
            unlisted=is_push and not changes,
        )


def _delivery(body: dict[str, Any]) -> str | None:
    """An event's id is one for all subscriptions."""
    event, hook = fields.name(body.get("id")), fields.name(body.get("subscriptionId"))
    return fields.name(f"{event}/{hook}" if event and hook else event)


def _kind(event: str) -> push.Kind:
    if event == "git.push":
        return push.Kind.PUSH
    if azure_checks.is_one(event):
        return push.Kind.WORKFLOW_RUN
    if event.startswith(("git.pullrequest.", "ms.vss-code.git-pullrequest-")):
        return push.Kind.PULL_REQUEST
    return push.Kind.REPOSITORY if event.startswith("git.repo.") else push.Kind.OTHER


def _source(repository: dict[str, Any]) -> tuple[str | None, tuple[str, ...]]:
    """Full name and clone URLs; its ``url`` is the API's."""
    urls = fields.names(repository.get("remoteUrl"), repository.get("sshUrl"))
    return _full_name(repository, repository.get("name")), urls


def _full_name(repository: dict[str, Any], name: object) -> str | None:
    return fields.full_name(fields.mapping(repository.get("project")).get("name"), name)


def _changes(resource: dict[str, Any]) -> tuple[push.Change, ...]:
    heads = {
        commit: {"message": one.get("comment"), "author": one.get("author")}
        for one in fields.mappings(resource.get("commits"))
        if (commit := fields.commit(one.get("commitId")))
    }
    return fields.present(
        _change(update, heads) for update in fields.mappings(resource.get("refUpdates"))
    )


def _change(update: dict[str, Any], heads: dict[str, dict[str, Any]]) -> push.Change | None:
    after = fields.commit(update.get("newObjectId"))
    head = heads.get(after) if after else None
    return fields.change(update.get("name"), update.get("oldObjectId"), after, head=head)


def _old_name(resource: dict[str, Any], repository: dict[str, Any]) -> str | None:
    old = fields.name(resource.get("oldName"))
    return _full_name(repository, old) if old else None
