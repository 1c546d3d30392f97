"""Forgejo: Gitea's form, and its own events for the end of a CI run.

https://forgejo.org/docs/latest/user/webhooks/
"""

import dataclasses
import re
from typing import Any

from build_hook import push
from build_hook.judging.forges import base, fields, gitea, github_checks

_RUN_EVENTS = "action_run"
# the payload of what started the run, as text
_REF = re.compile(r'"ref":\s*"refs/(heads|tags)/')


class Forgejo(gitea.Gitea):
    """Reads Forgejo's deliveries."""

    name = "forgejo"
    prefix = "X-Forgejo-"

    def _read(self, headers: base.Headers, body: dict[str, Any]) -> push.Event:
        event = super()._read(headers, body)
        if not event.event.startswith(_RUN_EVENTS):
            return event
        run = fields.mapping(body.get("run"))
        repository = fields.mapping(run.get("repository"))
        return dataclasses.replace(
            event,
            kind=push.Kind.WORKFLOW_RUN,
            repository=event.repository or fields.name(repository.get("full_name")),
            host=event.host or fields.host(repository.get("clone_url")),
            clone_urls=event.clone_urls
            or fields.names(repository.get("clone_url"), repository.get("ssh_url")),
            check=_check(run),
        )


def _check(run: dict[str, Any]) -> push.Check | None:
    """How an action ended; one for a pull request says nothing about a ref of ours."""
    commit = fields.commit(run.get("commit_sha")) or fields.commit(run.get("head_sha"))
    events = (run.get("event"), run.get("trigger_event"))
    if commit is None or any(fields.word(event).startswith("pull_request") for event in events):
        return None
    return push.Check(
        commit=commit,
        branch=fields.first_name(run.get("prettyref"), run.get("head_branch")),
        name=fields.first_name(run.get("workflow_id"), run.get("title")) or "action",
        succeeded=run.get("status") == "success",
        tag=_is_tag(run.get("event_payload")),
        single=github_checks.is_aside(run.get("trigger_event") or run.get("event")),
    )


def _is_tag(payload: object) -> bool | None:
    found = _REF.search(fields.word(payload))
    return found[1] == "tags" if found else None
