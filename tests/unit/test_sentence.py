"""One sentence for every delivery that a person may ask about."""

import dataclasses

import pytest

from build_hook import project, push
from build_hook.judging import decision, sentence
from tests import deliveries

COMMIT = "1481a2de7b2a7d02428ad93446ab166be7793fbb"
SHOP = project.Project(name="shop", repository="https://git.example/team/app", ref="main")


def event(kind=push.Kind.PUSH, **given):
    known = {"provider": "github", "event": "push", "kind": kind, "repository": "team/app"}
    return push.Event(**(known | given))


def change(ref="refs/heads/main", **given):
    kind, name = push.split_ref(ref)
    return dataclasses.replace(push.Change(ref, kind, name, after=COMMIT), **given)


def said(sent, verified=True, projects=(SHOP,)):
    matches = [match for one in projects for match in decision.decide(one, sent)]
    return sentence.say(sent, verified, matches)


@pytest.mark.parametrize("delivery", deliveries.all_of_them().values())
def test_every_recorded_delivery_is_one_sentence(delivery):
    text = said(delivery.read())

    assert text.endswith(".")
    assert "\n" not in text
    assert text.count(";") >= 2
    assert "None" not in text


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (event(changes=(change(),)), "branch main moved and is at 1481a2de7b in team/app"),
        (event(changes=(change(forced=True),)), "branch main was forced and is at 1481a2de7b"),
        (event(changes=(change("refs/tags/v1", created=True),)), "tag v1 was created at 1481a"),
        (event(changes=(change(deleted=True),)), "branch main was deleted in team/app"),
        (event(changes=(change("refs/notes/x", after=None),)), "refs/notes/x moved and is elsew"),
        (
            event(changes=tuple(change(f"refs/heads/{name}") for name in "abcde")),
            "branch c moved and is at 1481a2de7b and 2 more in team/app",
        ),
        (event(unlisted=True), "refs moved, and not which in team/app"),
        (event(renamed_from="team/old"), "team/old has a new name in team/app"),
        (
            event(check=push.Check(COMMIT, "main", "build", True)),
            "CI succeeded: build on main at 1481a2de7b",
        ),
        (event(check=push.Check(COMMIT, None, "build", False)), "CI failed: build at 1481a2de7b"),
        (
            event(push.Kind.PACKAGE, images=(push.ImagePush("team/app", "1", None, "ghcr.io"),)),
            "ghcr.io/team/app:1 was pushed;",
        ),
        (
            event(push.Kind.IMAGE_PUSH, images=(push.ImagePush("team/app"),)),
            "team/app without a tag was pushed;",
        ),
        (event(push.Kind.PING), "GitHub says that its webhook reaches this server"),
        (event(push.Kind.OTHER, event="issues"), "of no interest here (issues)"),
        (event(provider="azure-devops"), "Azure DevOps says"),
    ],
)
def test_what_the_host_says(sent, expected):
    assert expected in said(sent)


@pytest.mark.parametrize("kind", push.Kind)
def test_every_kind_has_words(kind):
    assert said(event(kind))


@pytest.mark.parametrize(
    ("verified", "expected"),
    [(True, "that is proven"), (False, "nothing proves it"), (None, "no secret is known")],
)
def test_whether_it_is_proven(verified, expected):
    assert expected in said(event(changes=(change(),)), verified)


def test_what_follows():
    moved = event(changes=(change(),))
    skipped = event(changes=(change(head_message="[skip ci]"),))

    assert said(moved).endswith("; shop is built (refs/heads/main moved).")
    assert "shop is not built (the head commit says [skip ci])" in said(skipped)
    assert "shop stays as it is" in said(event(push.Kind.RELEASE))
    assert said(moved, projects=()).endswith("; no project is about that.")
    assert said(event(push.Kind.PING), projects=()).endswith("; nothing follows.")
