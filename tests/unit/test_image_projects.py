"""Projects that pull an image: what the registry says of them, and whose pushes they hear."""

import pydantic
import pytest

from build_hook import project, push
from build_hook.deploy import schedule
from build_hook.judging import decision, judge, matching
from tests import deliveries

DIGEST = f"sha256:{'b' * 64}"
ALL = deliveries.all_of_them()


def entry(image="registry.example/team/shop:main", **given):
    return project.Project(name="shop", image=image, **given)


def pushed(*images, host=None, provider="registry"):
    return push.Event(provider, "push", push.Kind.IMAGE_PUSH, host=host, images=images)


def shop(tag: str | None = "main", digest=DIGEST):
    return push.ImagePush("team/shop", tag, digest)


def decided(registered, sent):
    return [
        (match.action, match.change.after if match.change else match.reason)
        for match in decision.decide(registered, sent)
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"repository": "https://h/r"}, "one of them is to be deployed"),
        ({"image": "Not An Image"}, "must be the name of an image"),
        ({"branches": "release/*"}, "branches is about a repository"),
        ({"paths": ["app/**"]}, "paths is about a repository"),
        ({"after_ci": True}, "after_ci is about a repository"),
    ],
)
def test_what_makes_no_sense_together_is_refused(given, said):
    with pytest.raises(pydantic.ValidationError, match=said):
        entry(**given)


def test_a_login_is_for_an_image():
    with pytest.raises(pydantic.ValidationError, match="registry_login is for an image"):
        project.Project(name="shop", repository="https://h/r", registry_login="x")


def test_the_ref_is_made_of_the_image_and_follows_it():
    made = entry("shop:v1", ref="refs/tags/old")

    assert (made.image, made.ref) == ("docker.io/library/shop:v1", "refs/tags/v1")
    assert project.Project.model_validate_json(made.model_dump_json(exclude_defaults=True)) == made
    assert made.runs_as != entry("shop:v2").runs_as


def test_a_person_names_a_tag():
    assert entry().ref_of("v1") == "refs/tags/v1"
    assert project.Project(name="a", repository="https://h/r").ref_of("v1") == "refs/heads/v1"


def test_images_of_one_registry_are_left_in_peace_together():
    assert schedule.host(entry().origin) == "registry.example"


@pytest.mark.parametrize(
    ("registered", "sent", "expected"),
    [
        (entry(), pushed(shop()), [("build", DIGEST)]),
        (entry(), pushed(shop("other")), [("ignore", "team/shop:other was pushed, the project "
         "follows registry.example/team/shop:main")]),
        (entry(), pushed(shop(None)), [("ignore", "team/shop without a tag was pushed, the "
         "project follows registry.example/team/shop:main")]),
        (entry(tags="v*"), pushed(shop("v1"), shop("main")), [("build", DIGEST)]),
        (entry(tags="v*"), pushed(shop("main")), [("ignore", "team/shop:main was pushed, the "
         "project follows tags v* of registry.example/team/shop")]),
        (entry(), pushed(shop(), shop()), [("build", DIGEST)]),
        (entry(), pushed(shop(digest="anything")), [("build", None)]),
        (entry(), pushed(push.ImagePush("team/other", "main")), [("ignore", "team/other:main was "
         "pushed, the project follows registry.example/team/shop:main")]),
        (entry(), pushed(), [("ignore", "no image was pushed")]),
        (entry(f"registry.example/team/shop@{DIGEST}"), pushed(shop()), [("ignore",
         f"team/shop:main was pushed, the project follows registry.example/team/shop@{DIGEST}")]),
    ],
)  # fmt: skip
def test_a_push_of_the_followed_tag_is_deployed(registered, sent, expected):
    found = [
        (action, None if action == "build" and what and "pushed" in what else what)
        for action, what in decided(registered, sent)
    ]
    assert found == expected


def test_pushes_to_git_are_none_of_its_business():
    sent = push.Event(
        "github", "push", push.Kind.PUSH, repository="team/shop",
        changes=(push.Change("refs/tags/main", push.RefType.TAG, "main"),),
    )  # fmt: skip

    assert decided(entry(), sent) == [("ignore", "the delivery is about team/shop")]
    assert matching.Index([entry()]).candidates(sent) == ()


def test_it_is_found_by_host_where_the_delivery_tells_and_by_name_where_not():
    index = matching.Index([entry()])
    git = project.Project(name="git", repository="https://registry.example/team/shop")

    assert index.candidates(pushed(shop())) == (entry(),)
    assert index.candidates(pushed(shop(), host="registry.example")) == (entry(),)
    assert index.candidates(pushed(shop(), host="docker.io")) == ()
    assert matching.Index([git]).candidates(pushed(shop())) == ()


@pytest.mark.parametrize(
    ("id", "host", "expected"),
    [
        ("registry-envelope", "registry.example", ("ignore", "library/test without a tag")),
        ("harbor-push", "registry.example", ("ignore", "harbor/alpine without a tag")),
        ("dockerhub-push", "docker.io", ("build", "refs/tags/latest was pushed")),
    ],
)
@pytest.mark.parametrize("only", [None, "shop"])
def test_deliveries_of_real_registries_find_it(id, host, expected, only):  # noqa: A002
    delivery = ALL[id]
    is_signed = id not in deliveries.NO_PROOF
    image = f"{host}/{delivery.read().images[0].repository}:latest"
    made = entry(
        image, webhook_secrets=["main"] if is_signed else [], allow_unsigned=not is_signed
    )

    verdict = judge.judge(
        delivery.headers,
        delivery.body,
        matching.Index([made]),
        {"main": delivery.secret}.get,
        only=only,
        now=delivery.now,
    )

    action, reason = expected
    assert [(m.action, m.reason[: len(reason)]) for m in verdict.matches] == [(action, reason)]
