"""Which digest a tag of an image stands for now, asked of its registry with one HEAD.

A HEAD brings no manifest, and counts as no pull where pulls are counted. Registries are reached
as the engine is told to: insecure ones over HTTP as well, others by the certificates that the
engine trusts for them.

https://distribution.github.io/distribution/spec/api/
"""

import dataclasses
import http
import ipaddress
import pathlib
import socket
import urllib.parse
from collections.abc import Mapping
from typing import Any, cast

import requests
import requests.auth
import requests.utils

from build_hook import errors, reference
from build_hook.deploy import engine

_ACCEPT = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_HUB = "registry-1.docker.io"
_CERTIFICATES = pathlib.Path("/etc/docker/certs.d")
_TIMEOUT = (10, 30)
_REACH = "Check that the registry runs and that this machine reaches it; it is tried again"


@dataclasses.dataclass(frozen=True, slots=True)
class Login:
    """Who asks; never shown."""

    username: str
    password: str = dataclasses.field(repr=False)


def login(secrets: pathlib.Path, name: str | None) -> Login | None:
    """Read a registry's USER:PASSWORD from the secret of that name; None for no name.

    Raises:
        PullError: if it cannot be read or is something else.
    """
    if name is None:
        return None
    file = secrets / name
    hint = f"Write USER:PASSWORD to {file}, of mode 0600, then: build-hook deploy"
    try:
        if file.stat().st_mode & 0o077:
            raise errors.PullError(
                f"Others may read the secret {name}", f"chmod 600 {file}, then: build-hook deploy"
            )
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise errors.PullError(f"The login {name} of a registry cannot be read", hint) from error
    username, colon, password = text.partition(":")
    if not colon or not username:
        raise errors.PullError(f"The secret {name} is no login of a registry", hint)
    return Login(username, password)


def logins(secrets: pathlib.Path, named: Mapping[str, str]) -> dict[str, Login]:
    """The same for several registries, by host.

    Raises:
        PullError: if one of them cannot be read or is something else.
    """
    found = {host: login(secrets, name) for host, name in named.items()}
    return {host: who for host, who in found.items() if who is not None}


class Registries:
    """The registries that the engine can pull from."""

    def __init__(self, docker_engine: engine.Engine) -> None:
        self._engine = docker_engine

    def digest(self, of: reference.Reference, tag: str, who: Login | None) -> str | None:
        """The digest of a tag's manifest; None if there is no such tag or repository.

        Raises:
            PullError: if the registry does not answer, or not to us.
        """
        with requests.Session() as session:
            session.auth = _leave_as_it_is  # a .netrc would replace what we say
            answer = self._head(session, of, tag, who)
        if answer.status_code == http.HTTPStatus.NOT_FOUND:
            return None
        digest = answer.headers.get("Docker-Content-Digest")
        if not answer.ok or not reference.is_digest(digest):
            raise _refused(of, answer)
        return digest

    def _head(
        self, session: requests.Session, of: reference.Reference, tag: str, who: Login | None
    ) -> requests.Response:
        """Ask; where an insecure registry does not speak TLS, ask without."""
        host = _HUB if of.host == reference.HUB else of.host
        is_insecure = self._is_insecure(of.host)
        session.verify = False if is_insecure else _trusted(of.host)
        path = f"{host}/v2/{of.path}/manifests/{tag}"
        try:
            if is_insecure:
                try:
                    return _ask(session, f"https://{path}", who, is_insecure=True)
                except requests.exceptions.ConnectionError:
                    return _ask(session, f"http://{path}", who, is_insecure=True)
            return _ask(session, f"https://{path}", who, is_insecure=False)
        except requests.RequestException as error:
            raise errors.PullError(
                f"The registry {of.host} does not answer ({type(error).__name__})", _REACH
            ) from error

    def _is_insecure(self, host: str) -> bool:
        with self._engine.speaking("ask the engine"):
            known = self._engine.api.info()["RegistryConfig"]
        config = known["IndexConfigs"].get(host)
        if config is not None:
            return not config["Secure"]
        networks = [ipaddress.ip_network(text) for text in known["InsecureRegistryCIDRs"]]
        return any(address in network for address in _addresses(host) for network in networks)


def _ask(
    session: requests.Session, url: str, who: Login | None, *, is_insecure: bool
) -> requests.Response:
    answer = session.head(url, headers={"Accept": _ACCEPT}, timeout=_TIMEOUT, allow_redirects=True)
    if answer.status_code != http.HTTPStatus.UNAUTHORIZED:
        return answer
    kind, _, rest = answer.headers.get("WWW-Authenticate", "").partition(" ")
    headers = {"Accept": _ACCEPT}
    if kind.lower() == "bearer":
        challenge = cast("dict[str, str]", requests.utils.parse_dict_header(rest))  # pyright: ignore[reportUnknownMemberType]
        token = _token(session, challenge, who, is_insecure=is_insecure)
        headers["Authorization"] = f"Bearer {token}"
        return session.head(url, headers=headers, timeout=_TIMEOUT, allow_redirects=True)
    if kind.lower() == "basic" and who is not None:
        basic = requests.auth.HTTPBasicAuth(who.username, who.password)
        return session.head(url, headers=headers, auth=basic, timeout=_TIMEOUT)
    return answer


def _token(
    session: requests.Session,
    challenge: dict[str, str],
    who: Login | None,
    *,
    is_insecure: bool,
) -> str:
    realm = challenge.get("realm", "")
    scheme = urllib.parse.urlsplit(realm).scheme
    if scheme != "https" and not (is_insecure and scheme == "http"):
        raise errors.PullError(
            "The registry wants a login to be sent unencrypted", "Give the registry a certificate"
        )
    basic = requests.auth.HTTPBasicAuth(who.username, who.password) if who else _leave_as_it_is
    wanted = {key: challenge[key] for key in ("service", "scope") if key in challenge}
    answer = session.get(realm, params=wanted, auth=basic, timeout=_TIMEOUT)
    said: dict[str, Any] = answer.json() if answer.ok else {}
    return str(said.get("token") or said.get("access_token") or "")


def _refused(of: reference.Reference, answer: requests.Response) -> errors.PullError:
    if answer.status_code in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN):
        return errors.PullError(
            f"The registry {of.host} does not let us read {of.path}",
            "Correct the image's name, or the USER:PASSWORD in the secret of registry_login",
        )
    return errors.PullError(f"The registry {of.host} answers {answer.status_code}", _REACH)


def _leave_as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _trusted(host: str) -> str | bool:
    """The certificates that the engine trusts for a registry, beside the machine's own."""
    own = _CERTIFICATES / host / "ca.crt"
    return str(own) if own.is_file() else True


def _addresses(host: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    name = urllib.parse.urlsplit(f"//{host}").hostname or ""
    try:
        return [ipaddress.ip_address(str(i[4][0])) for i in socket.getaddrinfo(name, None)]
    except OSError:
        return []
