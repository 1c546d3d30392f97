"""SSH host keys: which server is believed to be the one that its name says.

Three files are looked at: those of the user's own ssh, ``known_hosts`` in the state folder, which
``build-hook host-key`` writes, and the keys of the large git hosts, which the product brings. A
server that is in none of them is refused.
"""

import base64
import binascii
import dataclasses
import hashlib
import pathlib
import re
from collections.abc import Iterable, Iterator

from build_hook import errors
from build_hook.deploy import process

SHIPPED = pathlib.Path(__file__).parents[2] / "templates/known_hosts"
_HOST = re.compile(r"(?:\[([0-9A-Za-z.:_-]+)\]:|([0-9A-Za-z._-]+):?)(\d+)?")
_SCAN_TIMEOUT = 20.0


@dataclasses.dataclass(frozen=True, slots=True)
class HostKey:
    """One key of a host, under the names that ssh looks for."""

    names: str
    kind: str
    key: str

    @property
    def fingerprint(self) -> str:
        """As hosts publish it and ssh prints it, ``SHA256:…``."""
        digest = hashlib.sha256(base64.b64decode(self.key)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    def __str__(self) -> str:
        return f"{self.names} {self.kind} {self.key}"


def read(path: pathlib.Path) -> list[HostKey]:
    """The keys of a file in the format of known_hosts; none if it is not there."""
    if not path.exists():
        return []
    return list(_parsed(path.read_text(encoding="utf-8", errors="replace").splitlines()))


def scan(host: str) -> list[HostKey]:
    """Ask a server (``HOST``, ``HOST:PORT`` or ``[HOST]:PORT``) which keys it shows.

    Raises:
        CheckoutError: if that is no host, or it does not answer.
    """
    name, port = _split(host)
    try:
        lines = process.run(
            ("ssh-keyscan", "-T", "10", "-t", "ed25519,ecdsa,rsa", "-p", port, "--", name),
            timeout=_SCAN_TIMEOUT,
        ).splitlines()
    except process.ProcessError as error:
        lines = list(error.tail)
    found = list(_parsed(lines))
    if not found:
        raise errors.CheckoutError(
            f"{host} shows no SSH host key", "Check the name and the port: HOST or HOST:PORT"
        )
    return found


def accept(path: pathlib.Path, keys: Iterable[HostKey]) -> int:
    """Believe these from now on; returns how many were new."""
    known = read(path)
    new = [key for key in keys if key not in known]
    _write(path, [*known, *new])
    return len(new)


def forget(path: pathlib.Path, host: str) -> int:
    """Remove the keys of a host that were accepted; returns how many there were."""
    name, port = _split(host)
    names = {f"[{name}]:{port}", *([name] if port == "22" else [])}
    known = read(path)
    kept = [key for key in known if not names & set(key.names.split(","))]
    _write(path, kept)
    return len(known) - len(kept)


def _write(path: pathlib.Path, keys: list[HostKey]) -> None:
    draft = path.with_name(f".{path.name}.new")
    draft.write_text("".join(f"{key}\n" for key in keys), encoding="utf-8")
    draft.replace(path)


def _split(host: str) -> tuple[str, str]:
    found = _HOST.fullmatch(host)
    if not found or host.startswith("-"):
        raise errors.CheckoutError(f"{host!r} is no host", "Give HOST or HOST:PORT")
    return found[1] or found[2], found[3] or "22"


def _parsed(lines: Iterable[str]) -> Iterator[HostKey]:
    for line in lines:
        words = line.split()
        if len(words) < 3 or line.startswith(("#", "@")):
            continue
        try:
            base64.b64decode(words[2], validate=True)
        except binascii.Error:
            continue
        yield HostKey(*words[:3])
