"""Azure DevOps service hooks.

They sign nothing: HTTP basic, or a header of one's own, carries the secret.
https://learn.microsoft.com/azure/devops/service-hooks/events
"""

from typing import Any

from build_hook import push
from build_hook.judging.forges import base, fields


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
        urls = fields.names(repository.get("remoteUrl"), repository.get("sshUrl"))
        return push.Event(
            provider=self.name,
            event=event,
            kind=_kind(event),
            delivery_id=fields.name(body.get("id")),
            repository=_full_name(repository, repository.get("name")),
            host=fields.host(*urls, repository.get("url")),
            clone_urls=urls,
            changes=_changes(resource) if event == "git.push" else (),
            renamed_from=_old_name(resource, repository),
        )


def _kind(event: str) -> push.Kind:
    if event == "git.push":
        return push.Kind.PUSH
    if event.startswith("git.pullrequest."):
        return push.Kind.PULL_REQUEST
    return push.Kind.REPOSITORY if event.startswith("git.repo.") else push.Kind.OTHER


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
