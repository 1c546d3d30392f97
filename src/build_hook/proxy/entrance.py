"""Web, as the proxy publishes it beside the projects: with TLS, on a port of its own or shared."""

import ipaddress
import urllib.parse

from build_hook import service, settings

NAME = "the webhook server"
BACKEND = "webhook.server"  # no backend of a project has a dot
LOOPBACK = ("127.0.0.1", "::1")
_EVERYWHERE = {"0.0.0.0": LOOPBACK[0], "::": LOOPBACK[1]}  # noqa: S104 - to compare with


def port(of: settings.Settings) -> service.Port | None:
    """Its published port; projects share it if web has a name in ``public_url``."""
    if not of.tls_port:
        return None
    given = {"target": of.port, "published": of.tls_port, "certificates": (of.tls_certificate,)}
    return service.Port.model_validate({**given, "hosts": hosts(of)})


def hosts(of: settings.Settings) -> tuple[str, ...]:
    """The host name that it is published under; none: every name that no project has."""
    host = urllib.parse.urlsplit(of.public_url or "").hostname
    return () if host is None or _is_address(host) else (host,)


def address(of: settings.Settings) -> str | None:
    """Where the proxy finds web; None if it does not publish it."""
    if not of.tls_port:
        return None
    host = reached(of.listen)
    return f"[{host}]:{of.port}" if ":" in host else f"{host}:{of.port}"


def reached(listens_on: str) -> str:
    """Where this machine itself finds what listens on an address."""
    return _EVERYWHERE.get(listens_on, listens_on)


def believed(of: settings.Settings) -> tuple[str, ...]:
    """Whose X-Forwarded-For web believes: the operator's proxies, and ours if web is behind it."""
    return (*of.trusted_proxies, *(LOOPBACK if of.tls_port else ()))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
