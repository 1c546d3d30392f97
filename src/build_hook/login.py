"""The repository of a project, and what it is read with."""

import re
from typing import Literal

import pydantic

from build_hook import values

_HTTP = re.compile(r"https?://", re.IGNORECASE)
_LOOPBACK = re.compile(r"http://(?:[^/@]*@)?(?:localhost|127\.[0-9.]+|\[::1\])[:/]")


class Login(values.Value, defer_build=True):
    """A clone URL and the names of the secrets that open it."""

    repository: str = pydantic.Field(
        default="",
        description="clone URL; the payload's is unused. A project has either this or image",
    )
    match: Literal["full-name", "short-name"] = pydantic.Field(
        default="full-name",
        description="full-name: deliveries are about this repository if host and full name are "
        "its; short-name: if the last part of the name is, on any host and of any owner (the way "
        "of 2015, warned of). What is built comes from repository in any case",
    )
    deploy_key: values.SecretName | None = pydantic.Field(
        default=None,
        description="name of the secret that holds a private SSH key without a passphrase, to "
        "read the repository with; used on its host only",
    )
    access_token: values.SecretName | None = pydantic.Field(
        default=None,
        description="name of the secret that holds a token, to read the repository over https "
        "with; used on its host only",
    )
    access_user: str | None = pydantic.Field(
        default=None,
        pattern=r"^[A-Za-z0-9._-]{1,128}$",
        description="user name that goes with the token; default: what the git host wants",
    )

    submodules: bool = pydantic.Field(
        default=False,
        description="bring the repository's submodules as well; the login goes to those on the "
        "repository's own host",
    )
    lfs: bool = pydantic.Field(
        default=False, description="bring the files that Git LFS keeps beside the repository"
    )

    repository_settings: Literal["none", "safe"] = pydantic.Field(
        default="none",
        description="safe: the repository's build-hook.toml may say how it is built and proves "
        "itself, where this entry does not; none: it is not looked at",
    )

    @pydantic.field_validator("repository")
    @classmethod
    def _clonable(cls, url: str) -> str:
        return check_address(url) if url else url

    @pydantic.model_validator(mode="after")
    def _logs_in(self) -> "Login":
        is_http, is_loopback = _HTTP.match(self.repository), _LOOPBACK.match(self.repository)
        if re.match(r"[a-z]+://[^/@]*:[^/@]*@", self.repository, re.I):
            raise ValueError(
                "repository must not hold a password: put it into a secret, and name that in "
                "access_token"
            )
        if not self.repository and (self.deploy_key or self.access_token):
            raise ValueError("deploy_key and access_token are for a repository, there is none")
        if self.deploy_key and is_http and not self.submodules:
            raise ValueError("deploy_key needs a repository that is reached over ssh")
        if self.access_token and not (is_http or self.submodules or self.lfs):
            raise ValueError("access_token needs a repository that is reached over https")
        if self.access_token and re.match("http://", self.repository) and not is_loopback:
            raise ValueError("access_token would be readable on its way: use https")
        return self

    @property
    def loose_match(self) -> tuple[str, ...]:
        """The warning of a project that is found by its short name."""
        if self.match == "full-name":
            return ()
        return ("is found by its short name: repositories of that name on any host count",)

    @property
    def speaks_ssh(self) -> bool:
        """Whether the repository is reached over SSH."""
        return not re.match(r"(?:https?|git)://", self.repository, re.IGNORECASE)


def check_address(url: str) -> str:
    """Refuse what git would take for something else than a repository on a network.

    Raises:
        ValueError: if it is no such address.
    """
    allowed = ("https://", "http://", "ssh://", "git://")
    scp_like = "@" in url.split(":")[0] and ":" in url and "::" not in url
    if url.startswith("-") or not (url.startswith(allowed) or scp_like):
        raise ValueError("must be an https, http, ssh or git URL, or user@host:path")
    if any(c.isspace() or not c.isprintable() for c in url):
        raise ValueError("must not contain white space or control characters")
    return url
