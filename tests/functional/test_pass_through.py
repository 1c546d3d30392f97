"""TLS that containers speak: told apart by name, passed on whole, exchanged unnoticed."""

import contextlib
import socket
import ssl
import threading
import time

import pytest

from build_hook.demo import product
from tests.functional import certificates
from tests.functional import host as hosts

# Answers each connection with its version, over TLS with a certificate of its own.
APP = """
import pathlib, signal, socketserver, ssl, sys
VERSION = pathlib.Path("/version.txt").read_bytes().strip()
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/own.pem")

class Answer(socketserver.StreamRequestHandler):
    def setup(self):
        self.request = context.wrap_socket(self.request, server_side=True)
        super().setup()
    def handle(self):
        for line in self.rfile:
            self.wfile.write(VERSION + b" " + line)

class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 128
    def handle_error(self, request, client_address):
        pass

server = Server(("0.0.0.0", 8443), Answer)
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
server.serve_forever()
"""
DOCKERFILE = "ARG BASE\nFROM ${BASE}\nCOPY app.py own.pem version.txt /\n"


def secure(host, name, port, *names, **of):
    """A project whose container has its own certificate for these names; its PEM as well."""
    own = certificates.make(*names)
    way = {"published": port, "target": 8443, "app_protocol": "tcp", "hosts": list(names)}
    files = {"app.py": APP, "own.pem": own.decode(), "Dockerfile": DOCKERFILE}
    made = hosts.everything(host, name, files=files, ports=[way], **of)
    made.live()
    return made, certificates.parts(own)[0]


def talk(port, name, trusted):
    """What the server of a name says, over a connection that trusts its own certificate only."""
    context = ssl.create_default_context(cadata=trusted.decode())
    with (
        socket.create_connection(("127.0.0.1", port), 10) as raw,
        context.wrap_socket(raw, server_hostname=name) as made,
    ):
        made.sendall(b"hello\n")
        with made.makefile("rb") as answer:
            return answer.readline().decode().split()[0]


@contextlib.contextmanager
def clients(*asked):
    """New connections all the while; none of them fails."""
    done = threading.Event()
    failures: list[str] = []
    served: list[str] = []

    def run(port, name, trusted):
        while not done.is_set():
            try:
                served.append(talk(port, name, trusted))
            except (OSError, IndexError) as error:
                failures.append(f"{name}: {error!r}")
            time.sleep(0.02)

    threads = [threading.Thread(target=run, args=one) for one in asked for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield served
    finally:
        done.set()
        for thread in threads:
            thread.join(15)
    assert failures == []


def test_projects_share_a_port_by_sni_and_keep_their_own_tls(host):
    port = product.free_port()
    shop, shops = secure(host, "sni-shop", port, "shop.example.org")
    wild, wilds = secure(host, "sni-wild", port, "a.example.net", "*.example.net")

    assert talk(port, "shop.example.org", shops) == shop.version
    assert talk(port, "b.example.net", wilds) == wild.version
    with pytest.raises(ssl.SSLCertVerificationError):  # nobody in between: it is the other's
        talk(port, "b.example.net", shops)
    with pytest.raises(OSError):  # noqa: PT011 - closed in one way or another
        talk(port, "else.example.org", shops)

    with clients((port, "shop.example.org", shops), (port, "b.example.net", wilds)) as served:
        for _ in range(3):
            shop.live()
            host.until(lambda: talk(port, "shop.example.org", shops) == shop.version, "it")
        wild.live()
    assert {shop.version, wild.version} <= set(served)
    assert len(served) > 50


def test_one_that_names_nobody_goes_to_who_has_no_names_at_once(host):
    port = product.free_port()
    secure(host, "sni-named", port, "named.example.org")
    plain = hosts.everything(host, "sni-plain", ports=[hosts.port(port, 7000, "tcp")])
    plain.live()

    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), 10) as raw, raw.makefile("rwb") as line:
        line.write(b"hello\n")
        line.flush()
        assert line.readline().decode().split() == [plain.version, "hello"]
    assert time.monotonic() - begun < 3
