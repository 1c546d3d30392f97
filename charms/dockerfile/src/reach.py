"""Where a project can be reached, as a URL for people."""

from charms.docker_build_hook.v0 import dockerfile

_WITH_TLS = {"http": "https", "tcp": "tls"}
_USUAL = {"http": 80, "https": 443}


def url(ports: tuple[dockerfile.Port, ...], address: str) -> str | None:
    """The first published port, as its host name or at the machine's address."""
    for port in ports:
        if port.published is not None:
            return _of(port, port.published, address)
    return None


def _of(port: dockerfile.Port, published: int, address: str) -> str:
    scheme = _scheme(port)
    host = next((name for name in port.hosts or () if "*" not in name), address)
    bracketed = f"[{host}]" if ":" in host else host
    is_usual = _USUAL.get(scheme) == published
    return f"{scheme}://{bracketed}" + ("" if is_usual else f":{published}")


def _scheme(port: dockerfile.Port) -> str:
    if port.protocol == "udp":
        return "udp"
    plain = port.app_protocol or "http"
    return _WITH_TLS.get(plain, plain) if port.certificates else plain
