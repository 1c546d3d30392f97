"""Deliveries made from the hosts' documentation, of kinds of which none was recorded."""

import base64
import functools
import json
from typing import Any

from tests import deliveries

COMMIT = "1481a2de7b2a7d02428ad93446ab166be7793fbb"
SECRET = b"documented-secret"
DIGEST = f"sha256:{'b' * 64}"
REPOSITORY = {
    "full_name": "team/app",
    "name": "app",
    "owner": {"login": "team"},
    "clone_url": "https://git.example/team/app.git",
}
CI = {"after_ci": True, "ci": ("**",)}
SUITE = {
    "action": "completed",
    "check_suite": {
        "head_sha": COMMIT,
        "head_branch": "main",
        "conclusion": "success",
        "app": {"slug": "some-ci"},
    },
}


@functools.cache
def all_of_them() -> tuple[deliveries.Delivery, ...]:
    """Each with what proves it, and with what a project needs to care."""
    return (*_of_github(), *_of_gitea(), *_of_bitbucket(), *_of_azure())


def _of_github() -> list[deliveries.Delivery]:
    branch = {"name": "main", "commit": {"sha": COMMIT}}
    version = {
        "package_url": "ghcr.io/team/app:1",
        "container_metadata": {"tag": {"name": "1", "digest": DIGEST}},
    }
    package = {
        "name": "app",
        "namespace": "team",
        "package_type": "CONTAINER",
        "package_version": version,
    }
    status = {"sha": COMMIT, "state": "success", "context": "ci/x", "branches": [branch]}
    pipeline = {"ref": "main", "sha": COMMIT, "status": "success", "source": "push", "tag": False}
    project = {"path_with_namespace": "team/app", "git_http_url": REPOSITORY["clone_url"]}
    return [
        _made("github", "x-github-event", "check_suite", CI, **SUITE),
        _made("github", "x-github-event", "status", CI, **status),
        _made(
            "github",
            "x-github-event",
            "registry_package",
            {"image": "ghcr.io/team/app:1"},
            action="published",
            registry_package=package,
        ),
        _made(
            "gitlab",
            "x-gitlab-event",
            "Pipeline Hook",
            CI,
            object_kind="pipeline",
            object_attributes=pipeline,
            project=project,
        ),
    ]


def _of_gitea() -> list[deliveries.Delivery]:
    run = {
        "head_sha": COMMIT,
        "head_branch": "main",
        "path": "ci.yml@refs/heads/main",
        "conclusion": "success",
    }
    action = {
        "commit_sha": COMMIT,
        "prettyref": "v1",
        "status": "success",
        "event_payload": '{"ref": "refs/tags/v1"}',
        "repository": REPOSITORY,
    }
    package = {
        "type": "container",
        "name": "app",
        "version": "1",
        "owner": {"login": "team"},
        "html_url": "https://git.example:3000/team/-/packages/container/app/1",
    }
    return [
        _made("gitea", "x-gitea-event", "workflow_run", CI, action="completed", workflow_run=run),
        _made("gitea", "x-gitea-event", "status", CI, sha=COMMIT, state="success", context="x"),
        _made(
            "gitea",
            "x-gitea-event",
            "package",
            {"image": "git.example:3000/team/app:1"},
            action="created",
            package=package,
        ),
        _made(
            "forgejo",
            "x-forgejo-event",
            "action_run_recover",
            CI | {"tags": "v*"},
            action="recover",
            run=action,
        ),
    ]


def _of_bitbucket() -> list[deliveries.Delivery]:
    status = {"state": "SUCCESSFUL", "refname": "main", "commit": {"hash": COMMIT}}
    mirror = {"slug": "app", "project": {"key": "TEAM"}}
    link = {"href": "https://git.example/projects/TEAM/repos/app/browse"}
    new = {"type": "branch", "name": "main", "target": {"hash": COMMIT}}
    app = {"fullName": "TEAM/app", "links": {"self": [link]}}
    return [
        _made("bitbucket-cloud", "x-event-key", "repo:commit_status_updated", CI,
              commit_status=status),
        _made("bitbucket-cloud", "x-event-key", "repo:transfer", {},
              previous_workspace={"slug": "old"}),
        _made("bitbucket-cloud", "x-event-key", "repo:push", {}, repository=app,
              push={"changes": [{"new": new, "old": None}]}),
        _made("bitbucket-dc", "x-event-key", "mirror:repo_synchronized", {}, repository=mirror,
              syncType="SNAPSHOT"),
    ]  # fmt: skip


def _of_azure() -> list[deliveries.Delivery]:
    url = "https://dev.azure.com/org/Shop/_git/app"
    build = {
        "result": "succeeded",
        "sourceBranch": "refs/heads/main",
        "sourceVersion": COMMIT,
        "definition": {"name": "CI"},
        "repository": {"type": "TfsGit", "name": "app", "url": url},
    }
    own = {"refName": "refs/heads/main", "version": COMMIT}
    run = {
        "state": "completed",
        "result": "succeeded",
        "resources": {"repositories": {"self": own}},
    }
    old = {"status": "succeeded", "sourceGetVersion": f"LG:refs/heads/main:{COMMIT}"}
    ran = {"run": run, "pipeline": {"name": "CI"}, "repositories": [{"url": url, "change": {}}]}
    return [
        _of_a_hook("build.complete", build),
        _of_a_hook("build.complete", old),
        _of_a_hook("ms.vss-pipelines.run-state-changed-event", ran),
        _of_a_hook("git.push", {"pushId": 1}),
    ]


def _of_a_hook(event: str, resource: dict[str, Any]) -> deliveries.Delivery:
    given = CI if "push" not in event else {}
    body = {"id": "1", "subscriptionId": "s", "eventType": event, "resource": resource}
    return _made("azure-devops", "x-vss-subscriptionid", "s", given, **body)


def _made(
    provider: str, header: str, event: str, wanted: dict[str, Any], **body: Any
) -> deliveries.Delivery:
    basic = base64.b64encode(b"user:" + SECRET).decode()
    proofs = {
        "azure-devops": {"authorization": f"Basic {basic}"},
        "gitlab": {"x-gitlab-token": SECRET.decode()},
    }
    headers = {
        "content-type": "application/json",
        header: event,
        **proofs.get(provider, {_HEADERS.get(provider, "x-hub-signature"): ""}),
    }
    if provider != "azure-devops":
        body = {"repository": REPOSITORY} | body
    expected = {"changes": [], "project": wanted}
    unsigned = deliveries.Delivery(
        f"documented-{provider}-{body.get('eventType', event)}",
        provider,
        event,
        headers,
        b"",
        SECRET,
        expected,
    )
    return deliveries.sign(unsigned, json.loads(json.dumps(body)))


_HEADERS = {
    "github": "x-hub-signature-256",
    "gitea": "x-gitea-signature",
    "forgejo": "x-forgejo-signature",
}
