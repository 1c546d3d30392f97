"""Asking a registry for a digest, also where a token has to be fetched first."""

import base64
import contextlib
import http.server
import json
import threading
import types

import pytest

from build_hook import errors, reference, secret_files
from build_hook.deploy import manifests

DIGEST = f"sha256:{'c' * 64}"
LOGIN = manifests.Login("tester", "open sesame")


class Server(http.server.ThreadingHTTPServer):
    """What it says, and what it was asked."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.status: int | None = None
        self.scheme, self.digest = "http", DIGEST


class Handler(http.server.BaseHTTPRequestHandler):
    """A registry whose tokens come from itself."""

    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_HEAD(self):
        self.server.asked.append(self.path)
        if self.server.status is not None:
            return self.answer(self.server.status)
        if self.headers.get("Authorization") != "Bearer granted":
            realm = f"{self.server.scheme}://127.0.0.1:{self.server.server_port}/token"
            return self.answer(
                401, ("WWW-Authenticate", f'Bearer realm="{realm}",service="s",scope="pull"')
            )
        return self.answer(200, ("Docker-Content-Digest", self.server.digest))

    def do_GET(self):
        self.server.asked.append(self.path)
        known = base64.b64encode(b"tester:open sesame").decode()
        if self.headers.get("Authorization") != f"Basic {known}":
            return self.answer(403)
        return self.answer(200, body=json.dumps({"token": "granted"}).encode())

    def answer(self, status, *headers, body=b""):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):  # noqa: A002
        pass


@pytest.fixture
def server():
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def registries(secure=None, host=""):
    """Registries of an engine with the settings that it has by default, or with one more."""
    config = {
        "InsecureRegistryCIDRs": ["127.0.0.0/8"],
        "IndexConfigs": {} if secure is None else {host: {"Secure": secure}},
    }
    engine = types.SimpleNamespace(
        api=types.SimpleNamespace(info=lambda: {"RegistryConfig": config}),
        speaking=lambda what: contextlib.nullcontext(),
    )
    return manifests.Registries(engine)  # pyright: ignore[reportArgumentType]


def image(server):
    return reference.parse(f"127.0.0.1:{server.server_port}/team/shop:main")


def test_a_token_is_fetched_where_one_is_asked_for(server):
    assert registries().digest(image(server), "main", LOGIN) == DIGEST
    assert server.asked == [
        "/v2/team/shop/manifests/main",
        "/token?service=s&scope=pull",
        "/v2/team/shop/manifests/main",
    ]


def test_a_login_is_never_sent_to_an_address_that_is_not_encrypted_for_a_secure_registry():
    challenge = {"realm": "http://elsewhere.invalid/token"}

    with pytest.raises(errors.PullError, match="unencrypted"):
        manifests._token(None, challenge, LOGIN, is_insecure=False)  # pyright: ignore


def test_a_wrong_login_is_told_without_it(server):
    wrong = manifests.Login("tester", "wrong-one")

    with pytest.raises(errors.PullError, match="does not let us read team/shop") as caught:
        registries().digest(image(server), "main", wrong)
    assert "wrong-one" not in str(caught.value) + repr(wrong)


@pytest.mark.parametrize("status", [500, 429])
def test_a_registry_in_trouble_is_told(server, status):
    server.status = status

    with pytest.raises(errors.PullError, match=f"answers {status}") as caught:
        registries().digest(image(server), "main", None)
    assert caught.value.is_passing


def test_a_tag_that_is_not_there_has_no_digest(server):
    server.status = 404

    assert registries().digest(image(server), "main", None) is None


def test_what_is_no_digest_is_not_believed(server):
    server.digest = "sha256:../../x"

    with pytest.raises(errors.PullError, match="answers 200"):
        registries().digest(image(server), "main", LOGIN)


def test_the_engine_says_which_registry_is_insecure(server):
    name = f"127.0.0.1:{server.server_port}"

    with pytest.raises(errors.PullError, match="does not answer"):
        registries(secure=True, host=name).digest(image(server), "main", LOGIN)
    assert registries(secure=False, host=name).digest(image(server), "main", LOGIN) == DIGEST


@pytest.mark.parametrize("text", ["", "nobody", ":x"])
def test_what_is_no_login_is_refused_without_showing_it(tmp_path, text):
    secret_files.write(tmp_path / "a", text.encode())

    with pytest.raises(errors.PullError, match="is no login of a registry"):
        manifests.login(tmp_path, "a")


def test_login_that_others_may_read_is_refused(tmp_path):
    secret_files.write(tmp_path / "a", b"ann:sesame")
    (tmp_path / "a").chmod(0o644)

    with pytest.raises(errors.PullError, match="Others may read the secret a"):
        manifests.login(tmp_path, "a")


def test_logins_are_read_by_host(tmp_path):
    secret_files.write(tmp_path / "a", b"ann:open sesame\n")

    assert manifests.logins(tmp_path, {"ghcr.io": "a"}) == {
        "ghcr.io": manifests.Login("ann", "open sesame")
    }
