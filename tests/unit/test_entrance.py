"""Web, as the proxy publishes it."""

import pytest

from build_hook import settings
from build_hook.proxy import entrance


def of(tmp_path, **values):
    environ = {f"BUILD_HOOK_{name.upper()}": str(value) for name, value in values.items()}
    return settings.load(tmp_path / "state", environ)


def test_without_a_port_there_is_none(tmp_path):
    plain = of(tmp_path)

    assert entrance.port(plain) is None
    assert entrance.address(plain) is None
    assert entrance.believed(plain) == ()


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("https://Hooks.example.com/x", ("hooks.example.com",)),
        ("https://192.0.2.7:8443", ()),
        ("https://[2001:db8::1]", ()),
        ("", ()),
    ],
)
def test_it_is_published_under_its_public_name(tmp_path, url, hosts):
    port = entrance.port(of(tmp_path, tls_port=443, tls_certificate="ours", public_url=url))

    assert port is not None
    assert (port.published, port.certificates, port.hosts) == (443, ("ours",), hosts)


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("0.0.0.0", "127.0.0.1:8080"),
        ("::", "[::1]:8080"),
        ("192.0.2.7", "192.0.2.7:8080"),
    ],
)
def test_where_the_proxy_finds_it(tmp_path, listen, address):
    assert entrance.address(of(tmp_path, tls_port=443, listen=listen)) == address


def test_the_proxy_is_believed_besides_those_of_the_operator(tmp_path):
    behind = of(tmp_path, tls_port=443, trusted_proxies="192.0.2.0/24")

    assert entrance.believed(behind) == ("192.0.2.0/24", "127.0.0.1", "::1")


@pytest.mark.parametrize("port", [0, 443])
def test_web_needs_a_port_of_its_own(tmp_path, port):
    with pytest.raises(settings.errors.SettingsError, match="tls_port needs a port of its own"):
        of(tmp_path, tls_port=443, port=port)
