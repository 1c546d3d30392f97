"""A certificate with its chain and key, as one PEM file: what it is good for, and until when."""

import dataclasses
import datetime
import hashlib
import pathlib
import re
import ssl
import time
from typing import Any

from build_hook import errors

# A renewal that has not happened by then is not going to happen by itself.
SOON = 14 * 86_400
_LEAF = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
# X509_V_FLAG_NO_CHECK_TIME of OpenSSL: the dates are compared here, to name them.
_ANY_TIME = 0x200000
_HANDSHAKE_STEPS = 10


@dataclasses.dataclass(frozen=True, slots=True)
class Certificate:
    """One that a TLS handshake succeeds with; ``expires`` is in Unix seconds."""

    names: tuple[str, ...]
    expires: float
    digest: str

    def covers(self, host: str) -> bool:
        """Whether it is made out to a host name (or to a pattern such as ``*.example.org``)."""
        parent = host.partition(".")[2]
        return host in self.names or f"*.{parent}" in self.names

    @property
    def last_day(self) -> str:
        """The day on which it expires."""
        return _day(self.expires)

    def warning(self, name: str) -> str | None:
        """What to say of one that expires within 14 days, or has expired."""
        left = self.expires - time.time()
        if left > SOON:
            return None
        when = f"expires in {left / 86_400:.0f} days" if left > 0 else "has expired"
        return f"The certificate {name} {when} ({self.last_day}). {_renew(name)}"


def read(path: pathlib.Path, name: str, *, even_expired: bool = False) -> Certificate:
    """Read and try a file; it is to be good today, unless an expired one will do.

    Raises:
        CertificateError: if there is none, or clients would not accept it.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise errors.CertificateError(
            f"The certificate {name} cannot be read: {error.strerror}", _renew(name)
        ) from error
    leaf = _leaf(content, name)
    facts = _facts(path, leaf, name)
    starts, ends = (ssl.cert_time_to_seconds(facts[key]) for key in ("notBefore", "notAfter"))
    if ends <= time.time() and not even_expired:
        raise errors.CertificateError(
            f"The certificate {name} expired on {_day(ends)}", _renew(name)
        )
    if starts > time.time() + 60:
        raise errors.CertificateError(
            f"The certificate {name} is not valid before {_day(starts)}",
            "Correct this machine's clock, or wait until then",
        )
    return Certificate(_names(facts), ends, hashlib.sha256(content).hexdigest()[:12])


def _leaf(content: bytes, name: str) -> str:
    found = _LEAF.search(content)
    if found is None:
        raise errors.CertificateError(
            f"The certificate {name} holds no -----BEGIN CERTIFICATE-----",
            "Give one PEM file with the certificate, its chain and its key",
        )
    if b"PRIVATE KEY-----" not in content:
        raise errors.CertificateError(
            f"The certificate {name} comes without its key",
            "Give the key in the same PEM file, or with --key",
        )
    if b"ENCRYPTED" in content:
        raise errors.CertificateError(
            f"The key of the certificate {name} is locked with a password",
            "Unlock it: openssl pkey -in KEY -out KEY.open",
        )
    return found[0].decode("ascii", errors="replace")


def _facts(path: pathlib.Path, leaf: str, name: str) -> dict[str, Any]:
    """What the certificate says, as a client learns it in a handshake that is done in memory."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _ANY_TIME
    try:
        server.load_cert_chain(path, password=lambda: "")
        client.load_verify_locations(cadata=leaf)
        return _shake_hands(server, client)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise errors.CertificateError(
                f"The key of the certificate {name} belongs to another certificate",
                "The server's certificate comes first in the file, its chain after it; give "
                "the key that it was made with",
            ) from error
        raise errors.CertificateError(
            f"The certificate {name} cannot be used: {error.reason or 'it is no PEM'}",
            "Give one PEM file with the certificate, its chain and its key",
        ) from error


def _shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> dict[str, Any]:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    there = server.wrap_bio(to_server, to_client, server_side=True)
    here = client.wrap_bio(to_client, to_server)
    waiting = [here, there]
    for _ in range(_HANDSHAKE_STEPS):
        for side in tuple(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                continue
    return here.getpeercert() or {}


def _names(facts: dict[str, Any]) -> tuple[str, ...]:
    named = [value for kind, value in facts.get("subjectAltName", ()) if kind == "DNS"]
    common = [value for ((key, value),) in facts.get("subject", ()) if key == "commonName"]
    return tuple(name.lower() for name in named or common)


def _day(at: float) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%d")


def _renew(name: str) -> str:
    return f"Renew it, then: build-hook certificate add {name} --file PEM"
