"""Real deliveries of every host: how they read, and that only the genuine ones verify."""

import pytest

from build_hook import project, push
from build_hook.judging import forges
from tests import deliveries

EVERY = [pytest.param(one, id=one.id) for one in deliveries.all_of_them().values()]
MOVED = [
    pytest.param(one, id=one.id)
    for one in deliveries.all_of_them().values()
    if one.expected["changes"]
]
SIGNED = [pytest.param(one, id=one.id) for one in deliveries.signed()]
# what signs the body; the others send the secret itself, whatever the body
COVERS_BODY = [pytest.param(one, id=one.id) for one in deliveries.signed() if one.covers_body]
OF_A_CHANGE = ("ref", "name", "before", "after")


@pytest.mark.parametrize("delivery", EVERY)
def test_reads_as_expected(delivery):
    event = delivery.read()

    expected = delivery.expected
    assert event.provider == delivery.provider
    assert event.event == delivery.event
    assert event.kind == expected["kind"]
    assert event.action == expected["action"]
    assert event.repository == expected["repository_full_name"]
    assert list(event.clone_urls) == expected["clone_urls"]
    assert [change.ref for change in event.changes] == [c["ref"] for c in expected["changes"]]


@pytest.mark.parametrize("delivery", MOVED)
def test_changes_read_as_expected(delivery):
    for change, expected in zip(
        delivery.read().changes, delivery.expected["changes"], strict=True
    ):
        assert {k: getattr(change, k) for k in OF_A_CHANGE} == {
            k: expected[k] for k in OF_A_CHANGE
        }
        assert change.ref_type == expected["ref_type"]
        assert change.created is bool(expected["created"])
        assert change.deleted is bool(expected["deleted"])
        assert change.forced is bool(expected["forced"])
        head = expected["head_commit"] or {}
        assert change.head_message == head.get("message")


@pytest.mark.parametrize("delivery", SIGNED)
def test_verifies_with_its_secret(delivery):
    assert delivery.prove().verified is True


@pytest.mark.parametrize("delivery", EVERY)
def test_without_a_secret_nothing_is_known(delivery):
    forge = forges.detect(delivery.headers)

    assert forge.prove(delivery.headers, delivery.body, [], delivery.now).verified is None


@pytest.mark.parametrize("delivery", EVERY)
def test_a_wrong_secret_is_refused(delivery):
    assert delivery.prove(b"wrong").verified is False
    assert delivery.prove(b"").verified is False
    assert delivery.prove(delivery.secret + b"x").verified is False


@pytest.mark.parametrize("delivery", SIGNED)
def test_a_missing_header_is_refused(delivery):
    headers = {k: v for k, v in delivery.headers.items() if k != delivery.proof_header}

    assert delivery.prove(headers=headers).verified is False


@pytest.mark.parametrize("delivery", SIGNED)
@pytest.mark.parametrize("value", ["", "sha256=", "v1,", "x", "\xe9"])
def test_a_wrong_header_is_refused(delivery, value):
    headers = delivery.headers | {delivery.proof_header: value}

    assert delivery.prove(headers=headers).verified is False


@pytest.mark.parametrize("delivery", COVERS_BODY)
def test_a_cut_body_is_refused(delivery):
    assert delivery.prove(body=delivery.body[:-1]).verified is False
    assert delivery.prove(body=delivery.body[:100]).verified is False


@pytest.mark.parametrize("delivery", COVERS_BODY)
def test_a_changed_byte_is_refused(delivery):
    place = delivery.body.index(b"a", len(delivery.body) // 2)
    changed = delivery.body[:place] + b"b" + delivery.body[place + 1 :]

    assert delivery.prove(body=changed).verified is False


def test_an_empty_form_is_no_proof():
    delivery = deliveries.all_of_them()["gitea-push-form"]

    with pytest.raises(forges.UnreadableError) as caught:
        delivery.prove(body=b"")

    assert caught.value.status == 400


@pytest.mark.parametrize("header", ["x-hub-signature-256", "x-gitea-signature"])
def test_forgejo_is_judged_by_its_own_header_alone(header):
    delivery = deliveries.all_of_them()["forgejo-push-multi"]
    headers = {k: v for k, v in delivery.headers.items() if k != "x-forgejo-signature"}

    assert header in headers
    assert delivery.prove(headers=headers).verified is False


def test_the_ping_of_bitbucket_data_center_alone_is_never_signed():
    unsigned = [
        one.id
        for one in deliveries.all_of_them().values()
        if forges.detect(one.headers).never_signs(one.headers)
    ]

    assert unsigned == ["bbdc-ping"]


def test_the_registry_knows_every_host():
    allowed = project.Project.model_json_schema()["properties"]["provider"]["anyOf"][0]["enum"]

    assert sorted(allowed) == sorted(forges.NAMES)


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({"x-event-key": "repo:push"}, "bitbucket-cloud"),
        ({"x-event-key": "repo:fork", "x-request-uuid": "u"}, "bitbucket-cloud"),
        ({"x-event-key": "repo:forked", "x-request-id": "u"}, "bitbucket-dc"),
        ({"x-event-key": "pr:merged", "x-hook-uuid": "u"}, "bitbucket-dc"),
        ({"webhook-signature": "v1,"}, "standard-webhooks"),
        ({"user-agent": "VSServices/19.0"}, "azure-devops"),
        ({"x-vss-subscriptionid": "u"}, "azure-devops"),
        (
            {"content-type": "application/vnd.docker.distribution.events.v1+json"},
            "registry",
        ),
        ({"content-type": "application/json"}, "generic"),
        ({}, "generic"),
    ],
)
def test_detects(headers, name):
    assert forges.detect(headers).name == name


@pytest.mark.parametrize("payload", [None, [], "text", 1, True, 1.5])
@pytest.mark.parametrize("name", forges.NAMES)
def test_json_that_is_no_object_is_refused(name, payload):
    with pytest.raises(forges.UnreadableError) as caught:
        forges.by_name(name).read({}, payload)

    assert caught.value.status == 422
    assert caught.value.hint


@pytest.mark.parametrize(
    "name", ["github", "gitea", "gitlab", "bitbucket-cloud", "bitbucket-dc", "azure-devops"]
)
def test_a_missing_event_is_refused(name):
    with pytest.raises(forges.UnreadableError) as caught:
        forges.by_name(name).read({}, {})

    assert caught.value.status == 422


WRONG = (None, [], {}, "", "x", 0, -1, 1.5, True, ["x"], {"x": None}, "\ud800", "a\0b", 10**400)


def places(value, path=()):
    """Every place of a payload, as a path of keys."""
    items = value.items() if isinstance(value, dict) else enumerate(value[:2])
    for key, inner in items:
        yield (*path, key)
        if isinstance(inner, dict | list) and len(path) < 4:
            yield from places(inner, (*path, key))


def with_wrong(value, path, wrong):
    """The payload with one place replaced."""
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = wrong if len(path) == 1 else with_wrong(value[path[0]], path[1:], wrong)
    return copy


@pytest.mark.parametrize("delivery", EVERY)
def test_a_wrong_type_anywhere_is_read_around_or_refused(delivery):
    forge = forges.detect(delivery.headers)
    payload = forges.decode(delivery.headers, delivery.body)
    for number, path in enumerate(places(payload)):
        wrong = WRONG[number % len(WRONG)]
        try:
            event = forge.read(delivery.headers, with_wrong(payload, path, wrong))
        except forges.UnreadableError:
            continue
        repr(event).encode()
        assert all(push.is_ref(change.ref) for change in event.changes)
