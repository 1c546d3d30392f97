"""Signatures and tokens: what matches, and the many things that must not."""

import base64
import hmac

import pytest

from build_hook.judging import forges, signatures
from tests import deliveries

EVENT_HEADERS = {
    "github": {"x-github-event": "push"},
    "bitbucket-cloud": {"x-event-key": "repo:push"},
    "gitea": {"x-gitea-event": "push"},
    "gitlab": {"x-gitlab-event": "Push Hook"},
    "standard-webhooks": {},
}
SECRET = signatures.Secret("main", b"correct horse")
OTHER = signatures.Secret("older", b"battery staple")
BODY = b'{"a": 1}'
HEX = hmac.digest(SECRET.value, BODY, "sha256").hex()


def prove(vector, *, sha1=False):
    own = {vector["header"].lower(): vector["value"]} if "header" in vector else vector["headers"]
    headers = EVENT_HEADERS[vector["provider"]] | own
    secret = signatures.Secret("main", vector["secret"].encode(), sha1)
    now = float(headers.get("webhook-timestamp", 0))
    body = vector["body"].encode()
    return forges.detect(headers).prove(headers, body, [secret], now)


@pytest.mark.parametrize("vector", deliveries.vectors(), ids=lambda vector: vector["id"])
def test_vector(vector):
    proof = prove(vector, sha1=vector["id"] == "github-legacy-sha1")

    assert proof.verified in (True, False)
    if vector["valid"] is not None:
        assert proof.verified is vector["valid"]


def test_sha1_is_refused_unless_allowed():
    vector = next(v for v in deliveries.vectors() if v["id"] == "github-legacy-sha1")

    assert prove(vector).verified is False
    assert "SHA1" in prove(vector).reason


def test_sha1_does_not_override_a_wrong_sha256():
    sha1 = "sha1=" + hmac.new(SECRET.value, BODY, "sha1").hexdigest()
    headers = {
        "x-github-event": "push",
        "x-hub-signature": sha1,
        "x-hub-signature-256": "sha256=" + "0" * 64,
    }
    secret = signatures.Secret("main", SECRET.value, sha1=True)

    assert forges.detect(headers).prove(headers, BODY, [secret], 0).verified is False


@pytest.mark.parametrize("value", [None, "", " ", "sha256=", "sha256= ", "sha1=" + HEX, HEX])
def test_hex_hmac_that_is_no_signature(value):
    proof = signatures.hex_hmac(value, BODY, [SECRET], header="X", prefix="sha256=")

    assert proof.verified is False
    assert proof.secret is None


def test_the_secret_that_matched_is_recorded():
    proof = signatures.hex_hmac(HEX, BODY, [OTHER, SECRET], header="X")

    assert proof == signatures.Proof(True, "main", "X matches secret main")


def test_empty_secret_never_matches():
    empty = signatures.Secret("main", b"")
    digest = hmac.digest(b"", BODY, "sha256").hex()

    assert signatures.hex_hmac(digest, BODY, [empty], header="X").verified is False
    assert signatures.token("", [empty], header="X").verified is False
    assert signatures.authorization("Basic Og==", [empty]).verified is False


def test_a_secret_does_not_show_itself():
    assert "horse" not in repr(SECRET)


@pytest.mark.parametrize(
    "value",
    [
        "correct horse",
        "Bearer correct horse",
        "bearer correct horse",
        "Basic " + base64.b64encode(b"anybody:correct horse").decode(),
    ],
)
def test_authorization_with_the_secret(value):
    assert signatures.authorization(value, [OTHER, SECRET]).secret == "main"


def test_authorization_with_user_and_password_as_the_secret():
    pair = signatures.Secret("pair", b"hook:correct horse")
    value = "Basic " + base64.b64encode(b"hook:correct horse").decode()
    stranger = "Basic " + base64.b64encode(b"other:correct horse").decode()

    assert signatures.authorization(value, [pair]).verified is True
    assert signatures.authorization(stranger, [pair]).verified is False


@pytest.mark.parametrize(
    "value", [None, "", "Bearer", "Basic", "Basic %%%", "Basic 4pyT", "Digest x", "Bearer \xff"]
)
def test_authorization_without_the_secret(value):
    assert signatures.authorization(value, [SECRET]).verified is False


def test_a_token_of_other_letters_than_latin_ones_in_both_spellings():
    secret = signatures.Secret("main", "pässwörd-鍵".encode())

    as_http_carries_it = secret.value.decode("latin-1")
    assert signatures.token("pässwörd-鍵", [secret], header="X").verified is True
    assert signatures.token(as_http_carries_it, [secret], header="X").verified is True
    assert signatures.token("\ud800", [secret], header="X").verified is False


class TestStandard:
    KEY = b"whsec_" + base64.b64encode(bytes(range(32)))

    def prove(self, *, key=KEY, now=1000.0, **changes):
        content = b"id-1.1000." + BODY
        digest = base64.b64encode(hmac.digest(bytes(range(32)), content, "sha256")).decode()
        headers = {
            "webhook-id": "id-1",
            "webhook-timestamp": "1000",
            "webhook-signature": f"v1a,xyz v1,{digest}",
        }
        headers |= {f"webhook-{name}": value for name, value in changes.items()}
        secrets = [signatures.Secret("main", key)]
        return signatures.standard({k: v for k, v in headers.items() if v}, BODY, secrets, now)

    def test_good(self):
        assert self.prove().verified is True

    def test_key_without_its_prefix(self):
        assert self.prove(key=self.KEY.removeprefix(b"whsec_")).verified is True

    @pytest.mark.parametrize(
        ("now", "verified"),
        [(700.0, True), (699.0, False), (1300.0, True), (1301.0, False), (1e12, False)],
    )
    def test_window(self, now, verified):
        assert self.prove(now=now).verified is verified

    @pytest.mark.parametrize(
        "changes",
        [
            {"id": "id-2"},
            {"id": None},
            {"timestamp": "1001"},
            {"timestamp": None},
            {"timestamp": "1e3"},
            {"timestamp": "9" * 5000},
            {"timestamp": "-1000"},
            {"timestamp": "\u0661\u0660"},
            {"signature": None},
            {"signature": "v1,"},
            {"signature": "v1"},
            {"signature": "v1,\xff"},
            {"key": b"whsec_"},
            {"key": b"whsec_%%%"},
            {"key": b"another"},
        ],
    )
    def test_bad(self, changes):
        assert self.prove(**changes).verified is False


def test_gitlab_signing_token_decides_where_one_is_known():
    delivery = deliveries.all_of_them()["gitlab-push-standard-webhooks"]
    headers = delivery.headers | {"x-gitlab-token": "plain"}
    token = signatures.Secret("token", b"plain")
    signing = signatures.Secret("signing", delivery.secret)
    forge = forges.by_name("gitlab")

    def proof(secrets, given):
        return forge.prove(given, delivery.body, secrets, delivery.now)

    assert proof([token], headers).secret == "token"
    assert proof([token, signing], headers).secret == "signing"
    wrong = headers | {"webhook-signature": "v1,AAAA"}
    assert proof([token, signing], wrong).verified is False
