"""Bitbucket's POST service of before 2015: a form, and a branch in each commit.

It signed nothing; the URL could carry a user name and a password.
"""

from typing import Any

from build_hook import push
from build_hook.judging.forges import base, fields


class BitbucketLegacy(base.TokenForge):
    """Reads the POST service's deliveries."""

    name = "bitbucket-legacy-post"
    setting = "the password in the hook's URL, behind any user name"

    def claims(self, body: dict[str, Any]) -> bool:
        """Whether the body names a canonical URL and commits, as no other does."""
        return isinstance(body.get("canon_url"), str) and isinstance(body.get("commits"), list)

    def _read(self, headers: base.Headers, body: dict[str, Any]) -> push.Event:
        repository = fields.mapping(body.get("repository"))
        path = fields.name(repository.get("absolute_url"))
        owner_and_slug = fields.full_name(repository.get("owner"), repository.get("slug"))
        return push.Event(
            provider=self.name,
            event="post",
            kind=push.Kind.PUSH,
            repository=(path.strip("/") if path else None) or owner_and_slug,
            host=fields.host(body.get("canon_url")),
            changes=_changes(body),
        )


def _changes(body: dict[str, Any]) -> tuple[push.Change, ...]:
    """One for each branch: the last commit on it is its head."""
    heads: dict[str, dict[str, Any]] = {}
    for commit in fields.mappings(body.get("commits")):
        for branch in (commit.get("branch"), *_branches(commit)):
            if fields.name(branch) is not None:
                heads[str(branch)] = commit
    return fields.present(_change(branch, commit) for branch, commit in heads.items())


def _branches(commit: dict[str, Any]) -> tuple[str, ...]:
    """Merged branches stand in a list of their own."""
    found = commit.get("branches")
    return fields.names(*found) if isinstance(found, list) else ()  # pyright: ignore


def _change(branch: str, commit: dict[str, Any]) -> push.Change | None:
    head = {"message": commit.get("message"), "author": {"name": commit.get("author")}}
    after = commit.get("raw_node") or commit.get("node")
    return fields.change(branch, None, after, created=False, head=head)
