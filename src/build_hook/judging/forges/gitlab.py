"""GitLab: webhooks of projects and groups, and system hooks of an instance.

https://docs.gitlab.com/user/project/integrations/webhook_events/
https://docs.gitlab.com/administration/system_hooks/
"""

from collections.abc import Sequence
from typing import Any

from build_hook import push
from build_hook.judging import signatures
from build_hook.judging.forges import base, fields

_KINDS = {
    "push": push.Kind.PUSH,
    "tag_push": push.Kind.PUSH,
    "repository_update": push.Kind.REPOSITORY_UPDATE,
    "merge_request": push.Kind.PULL_REQUEST,
    "release": push.Kind.RELEASE,
    "pipeline": push.Kind.WORKFLOW_RUN,
}
_BY_HEADER = {
    "Push Hook": "push",
    "Tag Push Hook": "tag_push",
    "Merge Request Hook": "merge_request",
    "Release Hook": "release",
    "Pipeline Hook": "pipeline",
}
_PROJECT_ACTIONS = {
    "project_create": "created",
    "project_destroy": "deleted",
    "project_rename": "renamed",
    "project_transfer": "transferred",
    "project_update": "updated",
}
_FINISHED = ("success", "failed", "canceled", "skipped")
# what says nothing about a ref: pipelines of merge requests, children whose parent decides, and
# those that GitLab itself leaves out of a ref's status
_ASIDE = (
    "merge_request_event",
    "external_pull_request_event",
    "parent_pipeline",
    "webide",
    "ondemand_dast_scan",
    "ondemand_dast_validation",
    "security_orchestration_policy",
    "container_registry_push",
    "duo_workflow",
)


class GitLab(base.Forge):
    """Reads GitLab's deliveries."""

    name = "gitlab"
    setting = "the webhook's secret token, or signing token"

    def _read(self, headers: base.Headers, body: dict[str, Any]) -> push.Event:
        event = base.event_name(headers, "X-Gitlab-Event")
        what = fields.first_name(body.get("event_name"), body.get("object_kind"))
        what = what or _BY_HEADER.get(event, event)
        kind = push.Kind.REPOSITORY if what in _PROJECT_ACTIONS else _KINDS.get(what)
        project, urls, host = _project(headers, body)
        return push.Event(
            provider=self.name,
            event=event,
            kind=kind or push.Kind.OTHER,
            delivery_id=_delivery(headers),
            action=_action(what, body),
            repository=project,
            host=host,
            clone_urls=urls,
            changes=_changes(kind, body),
            check=_check(body) if kind is push.Kind.WORKFLOW_RUN else None,
            renamed_from=_old_name(what, body),
        )

    def _prove(
        self,
        headers: base.Headers,
        body: bytes,
        secrets: Sequence[signatures.Secret],
        now: float,
    ) -> signatures.Proof:
        """A signing token's signature if one of the secrets is such a token, else the token."""
        token = headers.get("x-gitlab-token")
        signs = any(secret.value.startswith(signatures.SIGNING_TOKEN) for secret in secrets)
        if "webhook-signature" in headers and (signs or token is None):
            return signatures.standard(headers, body, secrets, now)
        return signatures.token(token, secrets, header="X-Gitlab-Token")


def _delivery(headers: base.Headers) -> str | None:
    """The id that a retry keeps; an event's id is one for all hooks."""
    own = headers.get("idempotency-key") or headers.get("webhook-id")
    event, hook = headers.get("x-gitlab-event-uuid"), headers.get("x-gitlab-webhook-uuid")
    return fields.name(own or (f"{event}/{hook}" if event and hook else event))


def _project(
    headers: base.Headers, body: dict[str, Any]
) -> tuple[str | None, tuple[str, ...], str | None]:
    """Full name, clone URLs and host; the name on its own is only for display."""
    project = fields.mapping(body.get("project"))
    old = fields.mapping(body.get("repository"))
    target = fields.mapping(fields.mapping(body.get("object_attributes")).get("target"))
    urls = next(
        (
            found
            for place in (project, old, target)
            if (found := fields.names(place.get("git_http_url"), place.get("git_ssh_url")))
        ),
        (),
    )
    pages = (project.get("web_url"), project.get("homepage"), old.get("homepage"), old.get("url"))
    name = fields.first_name(
        project.get("path_with_namespace"),
        body.get("path_with_namespace"),
        target.get("path_with_namespace"),
    )
    host = fields.host(*urls, *pages, headers.get("x-gitlab-instance"))
    return name or fields.full_name_in(*urls, *pages), urls, host


def _changes(kind: push.Kind | None, body: dict[str, Any]) -> tuple[push.Change, ...]:
    if kind is push.Kind.REPOSITORY_UPDATE:
        moved = fields.mappings(body.get("changes"))
        return fields.present(
            fields.change(one.get("ref"), one.get("before"), one.get("after")) for one in moved
        )
    if kind is not push.Kind.PUSH:
        return ()
    after = body.get("after")
    head = fields.head(body, after)
    return fields.present([fields.change(body.get("ref"), body.get("before"), after, head=head)])


def _action(what: str, body: dict[str, Any]) -> str | None:
    attributes = fields.mapping(body.get("object_attributes"))
    return _PROJECT_ACTIONS.get(what) or fields.first_name(
        attributes.get("action"), body.get("action")
    )


def _check(body: dict[str, Any]) -> push.Check | None:
    """The end of a pipeline that ran for a branch or a tag."""
    pipeline = fields.mapping(body.get("object_attributes"))
    commit, status = fields.commit(pipeline.get("sha")), pipeline.get("status")
    if commit is None or pipeline.get("source") in _ASIDE or status not in _FINISHED:
        return None
    return push.Check(
        commit=commit,
        branch=fields.name(pipeline.get("ref")),
        name=fields.name(pipeline.get("name")) or "pipeline",
        succeeded=status == "success",
        tag=pipeline.get("tag") is True,
        single=pipeline.get("source") in ("schedule", "chat"),
    )


def _old_name(what: str, body: dict[str, Any]) -> str | None:
    if _PROJECT_ACTIONS.get(what) not in ("renamed", "transferred"):
        return None
    return fields.name(body.get("old_path_with_namespace"))
