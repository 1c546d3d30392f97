"""The name of an image as Docker writes it: registry, repository, and a tag or digest.

https://github.com/distribution/reference
"""

import dataclasses
import re

HUB = "docker.io"
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PATH = re.compile(
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
)
_HOST = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:]+\])"
    r"(?::[0-9]{1,5})?",
    re.IGNORECASE,
)
_LONGEST = 255


@dataclasses.dataclass(frozen=True, slots=True)
class Reference:
    """An image: ``host`` with its port in lower case, ``path``, and its tag or digest."""

    host: str
    path: str
    tag: str
    digest: str | None = None

    @property
    def name(self) -> str:
        """The repository, as the engine pulls from it."""
        return f"{self.host}/{self.path}"

    def __str__(self) -> str:
        return f"{self.name}@{self.digest}" if self.digest else f"{self.name}:{self.tag}"


def parse(text: str) -> Reference:
    """Read a name such as ``redis``, ``redis:7``, ``ghcr.io/team/shop:main`` or one with a digest.

    Raises:
        ValueError: if it is none.
    """
    name, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise ValueError("has no valid digest: @sha256: and 64 digits follow the name")
    name, tag = _split_tag(name)
    if not _TAG.fullmatch(tag):
        raise ValueError("has no valid tag: letters, digits, '_', '.' and '-' follow the colon")
    host, path = _split_host(name)
    if len(name) > _LONGEST or not _PATH.fullmatch(path) or not _HOST.fullmatch(host):
        raise ValueError("must be the name of an image, such as registry.example/team/shop:main")
    return Reference(host.lower(), path, tag, digest or None)


def registry(text: str) -> str:
    """The host of a registry, with its port if it has one, as references have it.

    Raises:
        ValueError: if it is none.
    """
    if not _HOST.fullmatch(text) or len(text) > _LONGEST:
        raise ValueError(f"{text!r} must be the host of a registry, such as ghcr.io or h.lan:5000")
    return HUB if text.lower() == f"index.{HUB}" else text.lower()


def is_digest(text: str | None) -> bool:
    """Whether it is the digest of a manifest."""
    return text is not None and _DIGEST.fullmatch(text) is not None


def _split_tag(name: str) -> tuple[str, str]:
    before, colon, tag = name.rpartition(":")
    return (before, tag) if colon and "/" not in tag else (name, "latest")


def _split_host(name: str) -> tuple[str, str]:
    """What has a dot or a port before the first slash is a host; the rest is on Docker Hub."""
    first, slash, rest = name.partition("/")
    if slash and (first == "localhost" or any(c in first for c in ".:[")):
        host = HUB if first.lower() in ("index.docker.io", HUB) else first
        path = rest
    else:
        host, path = HUB, name
    return host, path if host != HUB or "/" in path else f"library/{path}"
