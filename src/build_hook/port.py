"""A published port of a container."""

from typing import Literal

import pydantic

from build_hook import values

# Fields of a port that take effect at once: no new container is needed for them.
ROUTING = ("hosts", "certificates", "redirect_from")


class Port(values.Value):
    """One published port, in the long form of Compose ``ports``."""

    target: values.PortNumber = pydantic.Field(description="port that the container listens on")
    published: values.PortNumber = pydantic.Field(
        description="port of the host, owned by the proxy"
    )
    app_protocol: Literal["http", "tcp"] = pydantic.Field(
        default="http",
        description="http: every request goes to the version that is live; "
        "tcp: every connection does; unused where protocol is udp",
    )
    protocol: Literal["tcp", "udp"] = pydantic.Field(
        default="tcp",
        description="tcp: the proxy takes connections; udp: the kernel passes datagrams on",
    )
    hosts: tuple[values.HostName, ...] = pydantic.Field(
        default=(),
        description="host names by which projects share a published port, such as "
        "shop.example.org or *.example.org (one label); none: every name that no other has",
    )
    certificates: tuple[values.SecretName, ...] = pydantic.Field(
        default=(),
        description="names of certificates (build-hook certificate add): the port speaks TLS, "
        "and the container what it spoke before",
    )
    redirect_from: values.PortNumber | None = pydantic.Field(
        default=None,
        description="published port whose plain HTTP is sent on to this one, such as 80",
    )

    @pydantic.model_validator(mode="after")
    def _redirects_to_tls(self) -> "Port":
        if self.redirect_from is not None and not (
            self.certificates and self.app_protocol == "http"
        ):
            raise ValueError("redirect_from is for HTTP with certificates: name some")
        if self.redirect_from == self.published:
            raise ValueError("redirect_from must be another port than published")
        return self

    @pydantic.model_validator(mode="after")
    def _datagrams_name_nobody(self) -> "Port":
        if self.protocol == "udp" and (self.hosts or self.certificates):
            raise ValueError("hosts and certificates are for TCP: datagrams name nobody")
        return self

    @property
    def listens_on(self) -> tuple[int, ...]:
        """The ports of the host that it needs."""
        return (self.published, self.redirect_from) if self.redirect_from else (self.published,)

    def routed_as(self, other: "Port | None") -> "Port":
        """The same port with the host names and certificates of another."""
        if other is None:
            return self
        return self.model_copy(update={name: getattr(other, name) for name in ROUTING})
