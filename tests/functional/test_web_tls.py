"""Web over TLS, as the proxy publishes it: deliveries, links and a renewal under load."""

import contextlib
import http.client
import json
import socket
import ssl
import threading

import pytest

from build_hook import project
from build_hook.demo import delivery, product
from build_hook.deploy import condition
from build_hook.store import builds
from tests.functional import certificates
from tests.functional import host as hosts

NAME = "hooks.example.org"


class Client:
    """Speaks TLS with web, whoever signed its certificate."""

    lacked = ""
    """What was told before there was a certificate."""

    def __init__(self, host: hosts.Host) -> None:
        self.host = host
        self.port = host.settings.tls_port

    def certificate(self, content: bytes) -> None:
        """Put a certificate where the operator puts it, and wait until it is shown."""
        draft = self.host.settings.certificates / ".draft"
        draft.write_bytes(content)
        draft.replace(self.host.settings.certificates / "web.pem")
        leaf = certificates.parts(content)[0]
        self.host.until(lambda: self.shown() == leaf, "the certificate to be shown")

    def shown(self) -> bytes | None:
        with contextlib.suppress(OSError), self._socket() as made:
            return ssl.DER_cert_to_PEM_cert(made.getpeercert(True) or b"").encode()
        return None

    def ask(self, method: str, path: str, body: bytes = b"", name: str = NAME, **headers: str):
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=5)
        connection.sock = self._socket()
        with contextlib.closing(connection):
            connection.request(method, path, body, {"Host": name, **headers})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def _socket(self) -> ssl.SSLSocket:
        anyone = ssl.create_default_context()
        anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
        raw = socket.create_connection(("127.0.0.1", self.port), 5)
        return anyone.wrap_socket(raw, server_hostname=NAME)


@pytest.fixture(scope="module")
def client(base):
    knobs = {"tls_port": product.free_port(), "public_url": f"https://{NAME}"}
    with hosts.serving(base, reconcile_interval=3600, min_free_mb=10, **knobs) as host:
        made = Client(host)
        made.lacked = host.until(lambda: condition.read(host.settings.run).web, "it to be missed")
        made.certificate(certificates.make(NAME))
        yield made


def test_a_delivery_over_tls_is_built_and_answered_with_links_in_https(client):
    web = client.host.add("over-tls")
    said = []

    def fire(moved):
        body = delivery.body(moved, client.host.forge.address)
        headers = delivery.headers(body, client.host.webhook.secrets[web.name])
        said.append(client.ask("POST", f"/hooks/{web.name}", body, **headers))

    client.host.fire = fire
    try:
        build = web.deploy()
    finally:
        del client.host.fire

    assert build.phase in (builds.Phase.LIVE, builds.Phase.SKIPPED)
    (status, body), *_ = said
    assert status == 202, body
    assert json.loads(body)["builds"][0]["url"].startswith(f"https://{NAME}/api/v1/builds/")


def test_a_certificate_that_is_missing_is_told(client):
    assert "certificate web" in client.lacked
    client.host.until(
        lambda: client.host.run("projects")["web_problem"] is None, "nobody to miss it"
    )


def test_a_project_shares_the_port_under_another_name(client):
    web = client.host.add("beside")
    web.live()
    shared = project.Port.model_validate(
        {"target": 8000, "published": client.port, "hosts": ["shop.example.org"],
         "certificates": ["web"]}
    )  # fmt: skip
    client.host.replace(client.host.entry(web.name).model_copy(update={"ports": (shared,)}))
    client.host.run("deploy", web.name, "--wait")

    assert client.ask("GET", "/", name="shop.example.org")[1].decode().strip() == web.version
    assert client.ask("GET", "/healthz")[0] == 200
    assert client.ask("GET", "/", name="else.example.org")[0] == 404


def test_a_renewal_fails_no_request(client):
    done, answers = threading.Event(), []

    def ask():
        while not done.is_set():
            try:
                answers.append(client.ask("GET", "/healthz")[0])
            except (OSError, http.client.HTTPException) as error:
                answers.append(repr(error))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            client.certificate(certificates.make(NAME))
    finally:
        done.set()
        for thread in threads:
            thread.join(10)

    assert set(answers) == {200}
    assert len(answers) > 5
