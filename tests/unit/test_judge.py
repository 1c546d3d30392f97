"""Judgements: whom a delivery may move, and with which words others are turned away."""

import base64
import dataclasses
import json
import time

import pytest

from build_hook import project
from build_hook.judging import forges, judge, matching
from tests import deliveries

ALL = deliveries.all_of_them()
EVERY = [pytest.param(one, id=one.id) for one in ALL.values()]
SIGNED_PUSHES = [
    pytest.param(one, id=one.id)
    for one in deliveries.signed()
    if one.expected["kind"] == "push" and one.expected["changes"]
]
PUSH = ALL["github-push-branch"]
OF_PUSH = "https://github.com/binkkatal/sample_app.git"


def entry(name="shop", repository=OF_PUSH, **given):
    known = {"ref": "master", "webhook_secrets": ("main",)}
    return project.Project(name=name, repository=repository, **(known | given))


def judged(delivery, *projects, only=None, values=None, now=None):
    known = {"main": delivery.secret} if values is None else values
    return judge.judge(
        delivery.headers,
        delivery.body,
        matching.Index(projects),
        known.get,
        only=only,
        now=delivery.now if now is None else now,
    )


def home(delivery, **given):
    """A project that the delivery is about."""
    event = delivery.read()
    host = event.host or "git.example"
    url = next((u for u in event.clone_urls if "://" in u), f"https://{host}/{event.repository}")
    changes = delivery.expected["changes"]
    ref = changes[0]["ref"] if changes else "main"
    return entry(repository=url, **({"ref": ref} | given))


def actions(judgement):
    assert judgement.refusal is None, judgement.refusal
    return [(match.project.name, match.action) for match in judgement.matches]


def id_of(judgement):
    assert judgement.event is not None
    return judgement.event.delivery_id


class TestOfEveryHost:
    @pytest.mark.parametrize("delivery", EVERY)
    @pytest.mark.parametrize("only", [None, "shop"])
    def test_with_its_secret(self, delivery, only):
        judgement = judged(delivery, home(delivery), only=only)

        if delivery.id in ("bitbucket-legacy-post-form", "dockerhub-push") and only:
            assert judgement.refusal is not None
            assert judgement.refusal.status == 401
        elif delivery.id not in deliveries.NO_PROOF:
            assert judgement.refusal is None
            read = delivery.read()
            known = id_of(judgement)
            assert judgement.event == dataclasses.replace(read, delivery_id=known)
            assert known in (read.delivery_id, f"{read.delivery_id}/shop")

    @pytest.mark.parametrize("delivery", SIGNED_PUSHES)
    def test_a_push_is_built(self, delivery):
        judgement = judged(delivery, home(delivery))

        deleted = delivery.expected["changes"][0]["deleted"]
        assert judgement.verified is True
        assert judgement.secret == "main"
        assert actions(judgement) == [("shop", "ignore" if deleted else "build")]

    @pytest.mark.parametrize("delivery", EVERY)
    @pytest.mark.parametrize("only", [None, "shop"])
    @pytest.mark.parametrize("secret", [b"wrong", b""])
    def test_with_another_secret_nothing_moves(self, delivery, only, secret):
        judgement = judged(delivery, home(delivery), only=only, values={"main": secret})

        assert judgement.matches == ()
        assert judgement.verified is not True
        if only and delivery.id != "bbdc-ping":
            assert judgement.refusal is not None
            assert judgement.refusal.status == 401
            assert judgement.refusal.hint

    @pytest.mark.parametrize("delivery", EVERY)
    @pytest.mark.parametrize("only", [None, "shop"])
    def test_a_cut_body_is_refused(self, delivery, only):
        cut = dataclasses.replace(delivery, body=delivery.body[:-2])
        judgement = judged(cut, home(delivery), only=only)

        assert judgement.refusal is not None
        assert judgement.refusal.status in (400, 401)

    @pytest.mark.parametrize("delivery", EVERY)
    def test_without_its_headers_nothing_moves(self, delivery):
        kept = {k: v for k, v in delivery.headers.items() if k == "content-type"}
        bare = dataclasses.replace(delivery, headers=kept)

        for only in (None, "shop"):
            judgement = judged(bare, home(delivery), only=only)
            assert judgement.matches == ()
            assert judgement.verified is not True


@pytest.mark.parametrize("delivery", EVERY)
def test_the_refusal_says_where_the_hosts_secret_is_set(delivery):
    refusal = judged(delivery, home(delivery), only="shop", values={"main": b"wrong"}).refusal

    if delivery.id != "bbdc-ping":
        assert refusal is not None
        assert forges.detect(delivery.headers).setting in refusal.hint


def test_a_stale_standard_webhook_is_refused():
    delivery = ALL["gitlab-push-standard-webhooks"]

    judgement = judged(delivery, home(delivery), now=delivery.now + 301)

    assert judgement.refusal is not None
    assert "300 s" in judgement.refusal.message


def test_the_body_of_an_addressed_delivery_is_not_parsed_before_it_is_proved(monkeypatch):
    def never(*_):
        raise AssertionError("parsed")

    monkeypatch.setattr(forges, "decode", never)

    judgement = judged(PUSH, entry(), only="shop", values={"main": b"wrong"})

    assert judgement.refusal is not None
    assert judgement.refusal.status == 401


def test_an_unknown_project():
    refusal = judged(PUSH, entry(), only="other").refusal

    assert refusal is not None
    assert refusal.status == 404


def test_an_unknown_repository():
    refusal = judged(PUSH, entry(repository="https://github.com/other/app")).refusal

    assert refusal is not None
    assert refusal.status == 404


def test_a_project_whose_secret_does_not_match_is_left_out():
    one = entry("one", webhook_secrets=("main",))
    two = entry("two", webhook_secrets=("other",))

    judgement = judged(PUSH, one, two, values={"main": PUSH.secret, "other": b"other"})

    assert actions(judgement) == [("one", "build")]


def test_two_projects_of_one_repository():
    judgement = judged(PUSH, entry("one"), entry("two", ref="other"))

    assert actions(judgement) == [("one", "build"), ("two", "ignore")]


def test_the_second_secret_during_a_rotation():
    rotating = entry(webhook_secrets=("new", "old"))

    judgement = judged(PUSH, rotating, values={"new": b"new", "old": PUSH.secret})

    assert judgement.secret == "old"
    assert actions(judgement) == [("shop", "build")]


def test_an_addressed_delivery_verifies_with_its_own_projects_secret_only():
    one = entry("one", webhook_secrets=("main",))
    two = entry("two", webhook_secrets=("other",))

    judgement = judged(PUSH, one, two, only="two", values={"main": PUSH.secret, "other": b"x"})

    assert judgement.refusal is not None


class TestWithoutSecret:
    @pytest.mark.parametrize("only", [None, "shop"])
    def test_is_refused(self, only):
        refusal = judged(PUSH, entry(webhook_secrets=()), only=only).refusal

        assert refusal is not None
        assert refusal.status == 401
        assert "allow_unsigned" in refusal.hint

    @pytest.mark.parametrize("only", [None, "shop"])
    def test_is_accepted_where_allowed(self, only):
        judgement = judged(PUSH, entry(webhook_secrets=(), allow_unsigned=True), only=only)

        assert judgement.verified is None
        assert actions(judgement) == [("shop", "build")]

    def test_a_secret_that_is_there_counts_nevertheless(self):
        given = entry(allow_unsigned=True)

        refusal = judged(PUSH, given, values={"main": b"wrong"}).refusal

        assert refusal is not None
        assert refusal.status == 401

    def test_a_secret_without_a_value_opens_nothing(self):
        refusal = judged(PUSH, entry(allow_unsigned=True), values={}).refusal

        assert refusal is not None
        assert "has no value" in refusal.message
        assert "Write it into the file" in refusal.hint


class TestSha1:
    OLD = dataclasses.replace(
        PUSH, headers={k: v for k, v in PUSH.headers.items() if k != "x-hub-signature-256"}
    )

    def test_is_refused(self):
        refusal = judged(self.OLD, entry()).refusal

        assert refusal is not None
        assert "SHA1" in refusal.message

    def test_is_accepted_where_allowed(self):
        assert actions(judged(self.OLD, entry(allow_sha1=True))) == [("shop", "build")]


class TestProvider:
    @pytest.mark.parametrize("only", [None, "shop"])
    def test_its_own_headers(self, only):
        given = entry(provider="github")

        assert actions(judged(PUSH, given, only=only)) == [("shop", "build")]

    @pytest.mark.parametrize("only", [None, "shop"])
    def test_those_of_another_host_are_refused(self, only):
        refusal = judged(PUSH, entry(provider="gitlab"), only=only).refusal

        assert refusal is not None
        assert refusal.status == 401
        assert "github" in refusal.message
        assert "provider" in refusal.hint

    def test_a_host_without_headers_of_its_own(self):
        delivery = ALL["harbor-push"]

        judgement = judged(delivery, entry(provider="harbor"), only="shop")

        assert judgement.verified is True
        assert actions(judgement) == [("shop", "ignore")]


class TestPing:
    @pytest.mark.parametrize("id", ["github-ping", "github-ping-org", "bbdc-ping"])
    def test_is_answered_to_all(self, id):  # noqa: A002
        judgement = judged(ALL[id])

        assert (judgement.refusal, judgement.note) == (None, "ping")

    def test_is_verified_where_a_project_is_known(self):
        assert judged(ALL["github-ping"], home(ALL["github-ping"])).verified is True
        assert judged(ALL["github-ping-org"], entry(), only="shop").verified is True

    def test_with_a_wrong_secret_tells_so_at_once(self):
        for only in (None, "shop"):
            given = home(ALL["github-ping"])
            refusal = judged(ALL["github-ping"], given, only=only, values={"main": b"x"}).refusal
            assert refusal is not None
            assert refusal.status == 401

    def test_that_is_never_signed_is_answered_and_moves_nothing(self):
        judgement = judged(ALL["bbdc-ping"], entry(), only="shop")

        assert judgement.refusal is None
        assert (judgement.verified, judgement.matches) == (False, ())

    def test_only_the_ping_is_excused(self):
        body = ALL["bbdc-push"].body
        disguised = dataclasses.replace(ALL["bbdc-ping"], body=body)

        assert judged(disguised, home(ALL["bbdc-push"]), only="shop").matches == ()


class TestImages:
    @pytest.mark.parametrize("id", ["dockerhub-push", "registry-envelope", "harbor-push"])
    def test_nobody_is_no_error(self, id):  # noqa: A002
        judgement = judged(ALL[id], entry())

        assert judgement.refusal is None
        assert judgement.note == "no project follows this image"

    def test_for_a_project_is_ignored_with_its_reason(self):
        judgement = judged(ALL["registry-envelope"], entry(), only="shop")

        assert actions(judgement) == [("shop", "ignore")]
        assert "not from an image" in judgement.matches[0].reason


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, b"", 400),
        ({}, b"[]", 422),
        ({}, b"{}", 422),
        ({"content-type": "text/plain"}, b"{}", 415),
        ({"x-github-event": "push"}, b"{", 400),
        ({"x-github-event": "\n"}, b"{}", 422),
        ({"webhook-signature": "v1,"}, b"{}", 422),
    ],
)
def test_what_is_not_understood(headers, body, status):
    judgement = judge.judge(headers, body, matching.Index([]), {}.get, now=0)

    assert judgement.refusal is not None
    assert judgement.refusal.status == status
    assert judgement.refusal.message
    assert judgement.refusal.hint


def test_an_instances_event_about_no_repository_is_no_error():
    headers = {"x-gitlab-event": "System Hook"}

    judgement = judge.judge(
        headers, b'{"event_name": "user_create"}', matching.Index([]), {}.get, now=0
    )

    assert judgement.refusal is None
    assert judgement.note == "the event is about no repository"


HOSTILE = (
    "$(reboot)",
    "`reboot`",
    "; rm -rf ~",
    "../../etc/passwd",
    "--upload-pack=touch",
    "-x",
    "a'; DROP TABLE builds; --",
    "%s%n{0}{x.__class__}",
    "\x1b[2J\x1b]0;x\x07",
    "line\r\nSet-Cookie: a=b",
    "\u202egnp.exe",
    "\ud800",
    "a\0b",
    "x" * 100_000,
    "<script>alert(1)</script>",
)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("place", ["ref", "repository", "message", "author", "commit"])
def test_hostile_text_moves_nothing_but_the_ref_that_is_followed(text, place):
    payload = json.loads(PUSH.body)
    head = payload["head_commit"]
    if place == "ref":
        payload["ref"] = f"refs/heads/{text}"
    elif place == "repository":
        payload["repository"] |= {"full_name": text, "clone_url": text, "html_url": text}
    elif place == "commit":
        payload["after"] = text
    elif place == "message":
        head["message"] = text
    else:
        head["author"]["name"] = text
    delivery = deliveries.sign(PUSH, payload)

    for only in (None, "shop"):
        judgement = judged(delivery, entry(), only=only)
        for match in judgement.matches:
            assert match.reason.isprintable() or place == "message"
            if match.action == "build":
                assert match.change is not None
                assert match.change.ref == "refs/heads/master"
                assert match.change.after is None or match.change.after.isalnum()
                str(match.change.head_message).encode()


def test_many_projects_take_no_longer_than_few():
    few = matching.Index([entry()])
    others = [entry(f"p{n}", f"https://github.com/team/app{n}") for n in range(3000)]
    many = matching.Index([entry(), *others])

    def best(index):
        times = []
        for _ in range(60):
            started = time.perf_counter()
            judge.judge(PUSH.headers, PUSH.body, index, lambda _: PUSH.secret, now=0)
            times.append(time.perf_counter() - started)
        return min(times)

    assert best(many) < 2 * best(few)


def test_azure_by_basic_authentication():
    delivery = ALL["azure-push"]
    pair = base64.b64encode(b"someone:" + delivery.secret).decode()
    headers = delivery.headers | {"authorization": f"Basic {pair}"}
    other = dataclasses.replace(delivery, headers=headers)

    assert actions(judged(other, home(delivery))) == [("shop", "build")]


def test_an_event_that_several_addresses_hear_of_is_another_delivery_at_each():
    """A registry sends one event, with one id, to all of its endpoints."""
    told = deliveries.all_of_them()["registry-envelope"]
    of = [entry(name=name, repository="", image="registry.example/team/app:1") for name in "ab"]

    ids = [id_of(judged(told, *of, only=one.name)) for one in of]

    assert ids == ["asdf-asdf-asdf-asdf-0/a", "asdf-asdf-asdf-asdf-0/b"]
    assert id_of(judged(told, *of)) == "asdf-asdf-asdf-asdf-0"
