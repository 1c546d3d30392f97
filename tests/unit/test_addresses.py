import asyncio

import pytest

from build_hook import addresses

PROXIES = ("10.0.0.0/8", "fd00::/8")


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),  # a stranger may write what it likes
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "198.51.100.7, 10.0.0.2", "198.51.100.7"),
        ("10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7, nonsense", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7:4711", "198.51.100.7"),
        ("10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        ("fd00::1", "2001:db8::7", "2001:db8::7"),
        ("::ffff:10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "," * 5000, "10.0.0.1"),
    ],
)
def test_client_is_whom_no_trusted_proxy_stands_before(peer, forwarded, expected):
    assert addresses.client(peer, forwarded, PROXIES) == expected


def test_nobody_is_trusted_by_default():
    assert addresses.client("10.0.0.1", "198.51.100.7", ()) == "10.0.0.1"


@pytest.mark.parametrize(
    ("networks", "address", "expected"),
    [
        (("192.0.2.0/24",), "192.0.2.9", True),
        (("192.0.2.0/24",), "192.0.3.9", False),
        (("192.0.2.9/32", "2001:db8::/32"), "2001:db8::1", True),
        (("192.0.2.0/24",), "::ffff:192.0.2.9", True),
        (("192.0.2.0/24",), "2001:db8::1", False),
        (("0.0.0.0/0",), "not an address", False),
        ((), "192.0.2.9", False),
    ],
)
def test_admits(networks, address, expected):
    assert addresses.admits(networks, address) is expected


def test_check_takes_networks_and_addresses():
    assert addresses.check("192.0.2.9") == "192.0.2.9/32"
    assert addresses.check("192.0.2.9/24") == "192.0.2.0/24"
    with pytest.raises(ValueError, match=r"192\.0\.2\.0/24"):
        addresses.check("example.org")


def test_neighbourhood_of_ipv6_is_a_network():
    assert addresses.neighbourhood("2001:db8:1:2:3::4") == "2001:db8:1:2::/64"
    assert addresses.neighbourhood("::ffff:192.0.2.9") == "192.0.2.9"
    assert addresses.neighbourhood("192.0.2.9") == "192.0.2.9"


def test_application_sees_the_client_behind_the_proxy():
    seen = []

    async def application(scope, receive, send):
        seen.append(scope.get("client"))

    behind = addresses.Behind(application, ["10.0.0.0/8"])
    headers = [(b"x-forwarded-for", b"203.0.113.9"), (b"x-forwarded-for", b"198.51.100.7")]
    for scope in (
        {"type": "http", "client": ("10.0.0.1", 5), "headers": headers},
        {"type": "http", "client": ("192.0.2.1", 5), "headers": headers},
        {"type": "http", "client": None, "headers": headers},
        {"type": "lifespan"},
    ):
        asyncio.run(behind(scope, None, None))

    assert seen == [("198.51.100.7", 5), ("192.0.2.1", 5), None, None]


def test_application_learns_from_a_trusted_proxy_that_the_client_spoke_tls():
    seen = []

    async def application(scope, receive, send):
        seen.append(scope["scheme"])

    behind = addresses.Behind(application, ["10.0.0.0/8"])
    for peer, said in (("10.0.0.1", b"https"), ("10.0.0.1", b"http"), ("192.0.2.1", b"https")):
        scope = {
            "type": "http",
            "scheme": "http",
            "client": (peer, 5),
            "headers": [(b"x-forwarded-proto", said)],
        }
        asyncio.run(behind(scope, None, None))

    assert seen == ["https", "http", "http"]
