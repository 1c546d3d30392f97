"""Matching: by host and full name, then by ref; by a short name only where it is asked for."""

import pytest

from build_hook import project, push
from build_hook.judging import matching


def entry(repository, **given):
    return project.Project(name=given.pop("name", "shop"), repository=repository, **given)


def event(
    repository: str | None = "team/shop",
    host: str | None = "git.example",
    *,
    provider="github",
    **given,
):
    return push.Event(
        provider=provider,
        event="push",
        kind=push.Kind.PUSH,
        repository=repository,
        host=host,
        **given,
    )


def found(registered, sent):
    return [p.name for p in matching.Index([registered]).candidates(sent)] == ["shop"]


@pytest.mark.parametrize(
    ("registered", "sent"),
    [
        ("https://git.example/team/shop.git", event()),
        ("https://git.example:8443/Team/SHOP", event()),
        ("git@git.example:team/shop.git", event("Team/Shop", "GIT.example")),
        ("ssh://git@git.example:2222/team/shop", event()),
        # the body names no host
        ("https://git.example/team/shop.git", event(host=None)),
        # below a path, as its clone URL says
        (
            "https://git.example/gitlab/team/shop.git",
            event(clone_urls=("https://git.example/gitlab/team/shop.git",)),
        ),
        # a name inside that differs from the one outside
        (
            "https://git.example/team/shop",
            event(host="internal", clone_urls=("http://git.example:3000/team/shop.git",)),
        ),
        ("https://git.example/old/shop", event("new/shop", renamed_from="old/shop")),
        ("https://git.example/scm/team/shop", event("TEAM/shop", provider="bitbucket-dc")),
        ("https://git.example/ctx/scm/~me/shop", event("~me/shop", provider="bitbucket-dc")),
        ("https://git.example/scm/team/shop", event(host=None, provider="bitbucket-dc")),
        ("ssh://git@git.example:7999/team/shop", event("TEAM/shop", provider="bitbucket-dc")),
        (
            "https://dev.azure.com/org/team/_git/shop",
            event(host="dev.azure.com", clone_urls=("git@ssh.dev.azure.com:v3/org/team/shop",)),
        ),
        ("https://dev.azure.com/org/team/_git/shop", event(host=None, provider="azure-devops")),
    ],
)
def test_found(registered, sent):
    assert found(entry(registered), sent)


@pytest.mark.parametrize(
    ("registered", "sent"),
    [
        ("https://git.example/team/shop", event("other/shop")),
        ("https://git.example/team/shop", event("shop")),
        ("https://git.example/team/shop", event("team/shop/more")),
        ("https://git.example/team/shop", event(host="other.example")),
        ("https://git.example/team/shop", event(None)),
        ("https://git.example/sub/team/shop", event()),
        ("https://git.example/scm/team/shop", event()),
        ("https://git.example/team/shop", event("team/shop%2f..%2fx")),
    ],
)
def test_not_found(registered, sent):
    assert not found(entry(registered), sent)


def test_a_project_is_found_once():
    registered = entry("https://git.example/team/shop")
    sent = event(clone_urls=("https://git.example/team/shop", "git@git.example:team/shop"))

    assert matching.Index([registered]).candidates(sent) == (registered,)


def test_several_projects_of_one_repository():
    both = [entry("https://git.example/team/shop", name=name) for name in ("one", "two")]

    assert matching.Index(both).candidates(event()) == tuple(both)


def test_addressed_events_need_no_host():
    registered = entry("https://git.example/team/shop")

    assert matching.concerns(registered, event(host="inside.local"))
    assert matching.concerns(registered, event(None))
    assert not matching.concerns(registered, event("other/shop", host="inside.local"))


def test_follows_its_ref_alone():
    registered = entry("https://git.example/team/shop", ref="release/1")

    assert matching.follows(registered, "refs/heads/release/1")
    assert not matching.follows(registered, "refs/tags/release/1")
    assert not matching.follows(registered, "refs/heads/1")


def test_follows_branches_of_a_pattern_in_place_of_the_ref():
    registered = entry("https://git.example/team/shop", branches="release/*")

    assert matching.follows(registered, "refs/heads/release/2")
    assert not matching.follows(registered, "refs/heads/release/2/fix")
    assert not matching.follows(registered, "refs/tags/release/2")
    assert not matching.follows(registered, "refs/heads/main")


def test_a_project_follows_one_pattern_at_most():
    with pytest.raises(ValueError, match="tags or branches, not both"):
        entry("https://git.example/team/shop", branches="release/*", tags="v*")


def test_follows_tags_in_place_of_the_ref():
    registered = entry("https://git.example/team/shop", tags="v*")

    assert matching.follows(registered, "refs/tags/v1")
    assert not matching.follows(registered, "refs/tags/w1")
    assert not matching.follows(registered, "refs/heads/main")
    assert not matching.follows(registered, "refs/heads/v1")


SHORT = "https://git.example/team/shop.git"


@pytest.mark.parametrize(
    "sent",
    [
        event(),
        event("other/shop", "elsewhere.example"),
        event("SHOP", None),
        event("a/b/c/Shop.git"),
        event(None, clone_urls=("ssh://git@mirror.example/x/shop.git",)),
    ],
)
def test_short_name_finds_a_project_that_is_registered_so(sent):
    by_short = entry(SHORT, match="short-name")

    assert found(by_short, sent)
    assert sent.repository is None or matching.concerns(by_short, sent)


@pytest.mark.parametrize(
    "sent",
    [
        event("team/shop2", "elsewhere.example"),
        event("shop/team", "elsewhere.example"),
        event("team/x", "elsewhere.example", clone_urls=("https://h/shop/x",)),
    ],
)
def test_short_name_is_the_last_part_whole(sent):
    by_short = entry(SHORT, match="short-name")

    assert not found(by_short, sent)
    assert not matching.concerns(by_short, sent)


def test_short_name_of_one_project_opens_no_other():
    sent = event("other/shop", "elsewhere.example")

    assert not found(entry(SHORT), sent)
    assert not matching.concerns(entry(SHORT), sent)


def test_short_name_is_for_repositories_only():
    with pytest.raises(ValueError, match="short-name is for a repository"):
        project.Project(name="shop", image="git.example/team/shop", match="short-name")
