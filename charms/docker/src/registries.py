"""What a related registry says: where it is, and how to trust it."""

import base64
import binascii
import dataclasses
import json
import re
from collections.abc import Mapping

_ADDRESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?")
_PEM = "-----BEGIN CERTIFICATE-----"


@dataclasses.dataclass(frozen=True)
class Registry:
    """One registry; without TLS the engine has to be told that it is insecure."""

    address: str | None = None
    authority: str = ""
    is_plain: bool = False


def read(bag: Mapping[str, str]) -> Registry:
    """The registry of a ``docker-registry`` relation's unit; none if it says nothing usable."""
    address = _text(bag, "registry_netloc")
    if not _ADDRESS.fullmatch(address):
        return Registry()
    is_plain = _text(bag, "registry_url").startswith("http://")
    return Registry(address, "" if is_plain else _certificate(_text(bag, "tls_ca")), is_plain)


def _text(bag: Mapping[str, str], key: str) -> str:
    """A value; the charms that offer one write it as JSON or as it is."""
    raw = bag.get(key, "")
    try:
        value = json.loads(raw)
    except ValueError:
        return raw.strip()
    return value.strip() if isinstance(value, str) else ""


def _certificate(text: str) -> str:
    if not text or _PEM in text:
        return text
    try:
        decoded = base64.b64decode(text, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return decoded if _PEM in decoded else ""
