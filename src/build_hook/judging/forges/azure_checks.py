"""How a build or a pipeline of Azure DevOps ended.

The repository may be on another host, such as GitHub.
https://learn.microsoft.com/azure/devops/service-hooks/events
"""

from typing import Any

from build_hook import push
from build_hook.judging.forges import fields

_BUILD, _RUN = "build.complete", ".run-state-changed-event"
_ENDS = ("succeeded", "partiallysucceeded", "failed", "canceled", "stopped")


def is_one(event: str) -> bool:
    """Whether an event tells of a build or the run of a pipeline."""
    return event == _BUILD or event.endswith(_RUN)


def read(event: str, resource: dict[str, Any]) -> push.Check | None:
    """The end of it, if it ran for a branch or a tag."""
    if not is_one(event):
        return None
    return _build(resource) if event == _BUILD else _run(resource)


def source(resource: dict[str, Any]) -> tuple[str | None, tuple[str, ...]]:
    """Full name and clone URL of the repository that was built."""
    repository = fields.mapping(resource.get("repository"))
    others = fields.mappings(resource.get("repositories"))
    urls = fields.names(repository.get("url") or (others[0].get("url") if others else None))
    full = fields.full_name_in(*urls)
    if full is None:
        project = fields.mapping(resource.get("project")).get("name")
        return fields.full_name(project, repository.get("name")), ()
    is_azure = any("/_git/" in url for url in urls)
    return "/".join(full.split("/")[-2:]) if is_azure else full, urls


def _build(resource: dict[str, Any]) -> push.Check | None:
    """A build; version 1.0 of the resource has ref and commit in one word."""
    old = fields.word(resource.get("sourceGetVersion")).split(":")
    ref = resource.get("sourceBranch") or (old[1] if len(old) == 3 else None)
    commit = resource.get("sourceVersion") or old[-1]
    if resource.get("reason") == "pullRequest":
        return None
    definition = fields.mapping(resource.get("definition"))
    end = resource.get("result") or resource.get("status")
    is_aside = fields.word(resource.get("reason")).startswith("schedule")
    return _check(ref, commit, definition.get("name"), end, single=is_aside)


def _run(resource: dict[str, Any]) -> push.Check | None:
    """The run of a pipeline; its own repository is ``self``."""
    run = fields.mapping(resource.get("run"))
    used = fields.mapping(fields.mapping(run.get("resources")).get("repositories"))
    own = fields.mapping(used.get("self"))
    others = fields.mappings(resource.get("repositories"))
    change = fields.mapping(others[0].get("change")) if others else {}
    if run.get("state") != "completed":
        return None
    pipeline = fields.mapping(resource.get("pipeline")) or fields.mapping(run.get("pipeline"))
    commit = own.get("version") or change.get("version")
    return _check(own.get("refName"), commit, pipeline.get("name"), run.get("result"))


def _check(
    ref: object, commit: object, name: object, end: object, *, single: bool = False
) -> push.Check | None:
    full = fields.full_ref(ref)
    kind, short = push.split_ref(full) if full else (None, None)
    found, result = fields.commit(commit), fields.word(end).lower()
    if found is None or kind is push.RefType.OTHER or result not in _ENDS:
        return None
    return push.Check(
        commit=found,
        branch=short,
        name=fields.name(name) or "pipeline",
        succeeded=result == "succeeded",
        tag=kind is push.RefType.TAG if kind else None,
        single=single,
    )
