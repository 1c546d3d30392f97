"""How CI ended, in GitHub's words, which Gitea and Forgejo use as well.

https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

import re
from collections.abc import Callable
from typing import Any

from build_hook import push
from build_hook.judging.forges import fields

_AT_REF = re.compile(r"@refs/(heads|tags)/")
_STATES = ("success", "failure", "error")
# what starts the workflows that test a commit; schedules, issues and the like start others
_TESTS = ("push", "workflow_run", "workflow_dispatch", "repository_dispatch", "merge_group")


def read(event: str, body: dict[str, Any]) -> push.Check | None:
    """The end of a CI run, if the event tells of one that says something about a ref of ours."""
    reader = _READERS.get(event)
    return reader(body) if reader else None


def _workflow(body: dict[str, Any]) -> push.Check | None:
    """The end of a workflow; a run for a pull request says nothing about our branch."""
    run = fields.mapping(body.get("workflow_run"))
    repository = fields.mapping(body.get("repository"))
    commit = fields.commit(run.get("head_sha"))
    source = fields.mapping(run.get("head_repository")).get("full_name")
    foreign = source is not None and source != repository.get("full_name")
    for_request = fields.word(run.get("event")).startswith("pull_request")
    if body.get("action") != "completed" or commit is None or foreign or for_request:
        return None
    workflow = fields.mapping(body.get("workflow"))
    return push.Check(
        commit=commit,
        branch=fields.name(run.get("head_branch")),
        name=fields.first_name(run.get("name"), workflow.get("name")) or "workflow",
        succeeded=run.get("conclusion") == "success",
        tag=_is_tag(run.get("path")),
        single=is_aside(run.get("event")),
    )


def is_aside(cause: object) -> bool:
    """Whether what started a run says that it may have had another purpose than testing."""
    return bool(fields.word(cause)) and cause not in _TESTS


def _is_tag(path: object) -> bool | None:
    """Gitea puts the full ref behind the workflow's path; GitHub does not say."""
    found = _AT_REF.search(fields.word(path))
    return found[1] == "tags" if found else None


def _suite(body: dict[str, Any]) -> push.Check | None:
    """The end of all checks of one app; forks have no branch here."""
    suite = fields.mapping(body.get("check_suite"))
    commit, branch = fields.commit(suite.get("head_sha")), fields.name(suite.get("head_branch"))
    if body.get("action") != "completed" or commit is None or branch is None:
        return None
    app = fields.mapping(suite.get("app"))
    return push.Check(
        commit=commit,
        branch=branch,
        name=fields.first_name(app.get("slug"), app.get("name")) or "check suite",
        succeeded=suite.get("conclusion") == "success",
        single=True,
    )


def _status(body: dict[str, Any]) -> push.Check | None:
    """A commit status. GitHub lists branches that contain the commit, Gitea none."""
    commit, state = fields.commit(body.get("sha")), body.get("state")
    if commit is None or state not in _STATES:
        return None
    at = [
        fields.name(branch.get("name"))
        for branch in fields.mappings(body.get("branches"))
        if fields.mapping(branch.get("commit")).get("sha") == commit
    ]
    return push.Check(
        commit=commit,
        branch=at[0] if len(at) == 1 else None,
        name=fields.name(body.get("context")) or "status",
        succeeded=state == "success",
        tag=False if at else None,
        single=True,
    )


_READERS: dict[str, Callable[[dict[str, Any]], push.Check | None]] = {
    "workflow_run": _workflow,
    "check_suite": _suite,
    "status": _status,
}
