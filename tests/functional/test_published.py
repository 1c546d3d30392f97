"""Host names, certificates and lost ports, on a real HAProxy with servers of the test behind it.

Containers are not needed for that: a version's address is one of loopback's.
"""

import contextlib
import http.client
import http.server
import json
import socket
import time

import pytest

from build_hook import errors, project
from build_hook.demo import product
from build_hook.proxy import front, places
from tests.functional import certificates
from tests.functional import host as hosts
from tests.functional import stage as stages


def stranger(port: int) -> socket.socket:
    """Another program on a port, as soon as the proxy that was killed has let go of it."""

    def take() -> socket.socket | None:
        with contextlib.suppress(OSError):
            return socket.create_server(("127.0.0.1", port))
        return None

    return hosts.wait_for(take, "the port to be free", 5)


@pytest.fixture(scope="module")
def stage():
    with stages.running() as made:
        yield made


@pytest.fixture
def port() -> int:
    return product.free_port()


@pytest.fixture(autouse=True)
def alone(stage):
    """Every test has the proxy to itself."""
    yield
    stage.projects.clear()
    stage.addresses.clear()
    stage.publish()


def test_projects_share_a_port_by_host_name(stage, port):
    stage.add("shop", {"published": port, "hosts": ["shop.example.org", "example.org"]})
    stage.add("wild", {"published": port, "hosts": ["*.example.org"]})
    stage.add("rest", {"published": port})

    expected = {
        "shop.example.org": "shop",
        "SHOP.example.ORG": "shop",
        f"shop.example.org:{port}": "shop",
        "example.org.": "shop",
        "blog.example.org": "wild",
        "a.b.example.org": "rest",
        f"127.0.0.1:{port}": "rest",
    }
    assert {host: stage.who(port, host) for host in expected} == expected


def test_unknown_host_is_told_in_a_sentence(stage, port):
    stage.add("shop", {"published": port, "hosts": ["shop.example.org"]})

    status, said, _ = stage.ask(port, "blog.example.org")

    assert status == 404
    assert said.startswith("No project has this host name here. If one should: add the name")


def test_hosts_and_projects_come_and_go_unnoticed(stage, port):
    stage.add("shop", {"published": port, "hosts": ["shop.example.org"]})

    with stages.clients(stage, (port, "shop.example.org", False)):
        stage.add("blog", {"published": port, "hosts": ["blog.example.org"]})
        assert stage.who(port, "blog.example.org") == "blog"
        for number in range(3):
            names = ["blog.example.org", f"b{number}.example.org"]
            stage.add("blog", {"published": port, "hosts": names}, live=False)
            assert stage.who(port, names[1]) == "blog"
            stage.front.switch(places.Target(stage.projects["shop"], (f"127.0.1.{number + 10}",)))
        stage.remove("blog")
        assert stage.who(port, "blog.example.org") == "404"


def test_a_switch_of_one_project_is_no_reload(stage, port):
    stage.add("shop", {"published": port, "hosts": ["shop.example.org"]})
    stage.add("blog", {"published": port, "hosts": ["blog.example.org"]})
    before = stage.front._runtime.process_id()

    stage.front.switch(places.Target(stage.projects["shop"], ("127.0.1.9",)))

    assert stage.front._runtime.process_id() == before
    assert json.loads(stage.ask(port, "shop.example.org")[1])["address"] == "127.0.1.9"
    assert stage.who(port, "blog.example.org") == "blog"


def test_a_port_moves_to_a_project_when_the_other_has_left_it(stage, port):
    stage.add("old", {"published": port})
    other = product.free_port()
    stage.projects["old"] = stage.projects["old"].model_copy(
        update={"ports": (project.Port(target=stage.target, published=other),)}
    )
    stage.add("new", {"published": port}, live=False)

    with pytest.raises(errors.PortTakenError, match=f"old and new both publish port {port}"):
        stage.front.require(stage.projects["new"])
    assert "old and new both publish" in stage.front.problems["new"]
    assert stage.who(port, "any") == "old"

    stage.front.switch(places.Target(stage.projects["old"], (stage.addresses["old"],)))
    stage.add("new", {"published": port})
    assert stage.who(port, "any") == "new"
    assert stage.who(other, "any") == "old"
    assert stage.front.problems == {}


def test_tls_by_host_name_with_http_2_and_what_containers_are_told(stage, port):
    one, two = certificates.make("shop.example.org"), certificates.make("*.example.net")
    stage.certificate("one", one)
    stage.certificate("two", two)
    stage.add("shop", {"published": port, "hosts": ["shop.example.org"], "certificates": ["one"]})
    stage.add("blog", {"published": port, "hosts": ["b.example.net"], "certificates": ["two"]})

    assert stage.who(port, "shop.example.org", tls=True) == "shop"
    assert stage.who(port, "b.example.net", tls=True) == "blog"
    assert stage.shown(port, "shop.example.org") == certificates.parts(one)[0]
    assert stage.shown(port, "b.example.net") == certificates.parts(two)[0]
    told = json.loads(stage.ask(port, "shop.example.org", tls=True)[1])["headers"]
    assert (told["x-forwarded-proto"], told["x-forwarded-for"]) == ("https", "127.0.0.1")
    context = stages.anyone()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port), 5)) as made:
        assert made.selected_alpn_protocol() == "h2"
    assert stage.front.problems == {}


def test_plain_http_is_sent_on_to_tls(stage, port):
    plain = product.free_port()
    stage.certificate("one", certificates.make("shop.example.org"))
    stage.add("shop", {"published": port, "hosts": ["shop.example.org"],
                       "certificates": ["one"], "redirect_from": plain})  # fmt: skip
    stage.add("blog", {"published": plain, "hosts": ["blog.example.org"]})

    status, _, answer = stage.ask(plain, f"shop.example.org:{plain}", "/a?b=c")

    assert (status, answer.getheader("Location")) == (
        308,
        f"https://shop.example.org:{port}/a?b=c",
    )
    assert stage.who(plain, "blog.example.org") == "blog"
    assert stage.who(plain, "else.example.org") == "404"


def test_a_renewed_certificate_is_shown_and_no_request_fails(stage, port):
    stage.certificate("one", certificates.make("shop.example.org"))
    stage.add("shop", {"published": port, "certificates": ["one"]})

    with stages.clients(stage, (port, "shop.example.org", True)):
        for _ in range(3):
            renewed = certificates.make("shop.example.org")
            stage.certificate("one", renewed)
            assert stage.shown(port, "shop.example.org") == certificates.parts(renewed)[0]
            time.sleep(0.3)


GOOD = certificates.make("shop.example.org")
LEAF, KEY = certificates.parts(GOOD)
OTHER_KEY = certificates.parts(certificates.make("shop.example.org"))[1]
BAD = {
    "no PEM": (b"junk", "holds no -----BEGIN CERTIFICATE-----. Give one PEM file"),
    "empty": (b"", "holds no -----BEGIN CERTIFICATE-----"),
    "no key": (LEAF, "comes without its key. Give the key in the same PEM file, or with --key"),
    "cut": (LEAF[:200] + LEAF[-30:] + KEY, "cannot be used: "),
    "other key": (LEAF + OTHER_KEY, "The key of the certificate one belongs to another"),
    "locked key": (LEAF + certificates.lock(KEY), "is locked with a password. Unlock it: openssl"),
    "expired": (certificates.expired(GOOD), "expired on 2"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_certificate_is_named_and_the_last_good_one_stays(stage, port, what):
    content, says = BAD[what]
    stage.certificate("one", GOOD)
    stage.add("shop", {"published": port, "certificates": ["one"]})

    stage.certificate("one", content)

    assert says in stage.front.problems["shop"]
    assert stage.front.problems["shop"].endswith("The last good one stays in force")
    assert stage.shown(port, "shop.example.org") == LEAF
    stage.front = front.Front(stage.settings)  # also for a worker that starts anew
    stage.publish()
    assert stage.shown(port, "shop.example.org") == LEAF
    stage.certificate("one", GOOD)
    assert stage.front.problems == {}


def test_a_port_without_its_certificate_is_refused_and_the_others_serve(stage, port):
    stage.certificate("one", GOOD)
    stage.add("shop", {"published": port, "hosts": ["shop.example.org"], "certificates": ["one"]})
    stage.add("blog", {"published": port, "hosts": ["b.example.org"], "certificates": ["none"]},
              live=False)  # fmt: skip

    with pytest.raises(
        errors.CertificateError, match=r"none cannot be read.* certificate add none"
    ):
        stage.front.require(stage.projects["blog"])
    assert stage.who(port, "shop.example.org", tls=True) == "shop"
    assert stage.who(port, "b.example.org", tls=True) == "404"

    stage.certificate("none", certificates.make("b.example.org"))
    stage.add("blog", {"published": port, "hosts": ["b.example.org"], "certificates": ["none"]})
    assert stage.who(port, "b.example.org", tls=True) == "blog"


def test_a_host_that_no_certificate_names_is_said(stage, port):
    stage.certificate("one", GOOD)
    stage.add("shop", {"published": port, "hosts": ["blog.example.org", "shop.example.org"],
                       "certificates": ["one"]})  # fmt: skip

    assert stage.front.problems["shop"].startswith(
        "blog.example.org is in none of the certificates one: clients refuse it"
    )


def test_raw_connections_are_told_apart_by_the_name_in_their_handshake(stage, port):
    stage.certificate("one", GOOD)
    tcp = {"published": port, "app_protocol": "tcp", "certificates": ["one"]}
    stage.add("shop", {**tcp, "hosts": ["shop.example.org"]})
    stage.add("blog", {**tcp, "hosts": ["*.example.net"]})

    assert stage.who(port, "shop.example.org", tls=True) == "shop"
    assert stage.who(port, "b.example.net", tls=True) == "blog"
    with pytest.raises((OSError, http.client.HTTPException)):
        stage.who(port, "else.invalid", tls=True)


def test_a_lost_port_of_web_is_told_and_taken_once_it_is_free(port):
    with stages.running(tls_port=port) as stage:
        with stranger(port):
            stage.certificate("web", GOOD)
            stage.publish()
            assert stage.front.problem_of_web == (
                f"Port {port} is used by another program. Stop what uses it, or set another "
                "tls_port"
            )
        stage.front.look()
        assert stage.front.problem_of_web is None
        assert stage.shown(port, "any") == certificates.parts(GOOD)[0]


def test_a_certificate_that_does_not_name_web_is_told_and_shown_all_the_same(port):
    with stages.running(tls_port=port, public_url="https://hooks.example.com") as stage:
        stage.certificate("web", GOOD)
        stage.publish()

        told = stage.front.problem_of_web or ""
        assert told.startswith("hooks.example.com is in none of the certificates web")
        assert stage.shown(port, "hooks.example.com") == certificates.parts(GOOD)[0]


def test_a_lost_port_does_not_keep_the_proxy_from_starting(stage, port):
    lost = product.free_port()
    stage.add("shop", {"published": port})
    stage.add("blog", {"published": lost}, {"published": product.free_port()})
    kept = stage.projects["blog"].ports[1].published
    stage.stop()

    with stranger(lost):
        stage.start()
        assert stage.who(port, "any") == "shop"
        stage.front.look()
        assert stage.front.problems == {
            "blog": f"Port {lost} is used by another program. Stop what uses it, or publish "
            "another port; then: build-hook deploy"
        }
        assert stage.who(kept, "any") == "blog"
        # deploys go on meanwhile, and those that need the port are refused
        stage.front.switch(places.Target(stage.projects["shop"], (stage.addresses["shop"],)))
        stage.front.switch(places.Target(stage.projects["blog"], (stage.addresses["blog"],)))
        with pytest.raises(errors.PortTakenError, match=f"Port {lost} is used by another"):
            stage.front.require(stage.projects["blog"])

    with stages.clients(stage, (port, "any", False)):
        stage.front.look()
        assert stage.who(lost, "any") == "blog"
        time.sleep(0.3)
    assert stage.front.problems == {}


def test_a_port_that_was_lost_for_a_moment_only_comes_back(stage, port):
    stage.add("shop", {"published": port})
    stage.stop()
    with stranger(port):
        stage.start()

    stage.front.look()

    assert stage.who(port, "any") == "shop"
