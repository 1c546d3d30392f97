"""How a version is built and run, in the names of the Compose specification.

https://github.com/compose-spec/compose-spec/blob/main/spec.md
"""

from typing import Annotated

import pydantic

from build_hook import labels, recipe, reference, secret_mount, values, volume
from build_hook.port import ROUTING, Port
from build_hook.recipe import Build

__all__ = ["Build", "Port", "Service"]

_DEVICE = r"^/dev/[^:\s]+(:/[^:\s]+)?(:[rwm]{1,3})?$"
_RESTART = r"^(no|always|unless-stopped|on-failure(:[1-9]\d*)?)$"


class Healthcheck(values.Value):
    """Replaces the image's HEALTHCHECK, as Compose ``healthcheck``."""

    test: values.Words = pydantic.Field(
        min_length=1,
        description="command that must succeed: NONE, CMD and its words, or CMD-SHELL and a text",
    )
    interval: values.Seconds = pydantic.Field(default=30, description="seconds between two runs")
    timeout: values.Seconds = pydantic.Field(default=30, description="seconds one run may take")
    retries: Annotated[int, pydantic.Field(ge=1)] = pydantic.Field(
        default=3, description="failures in a row that make it unhealthy"
    )
    start_period: values.Seconds = pydantic.Field(
        default=0, description="seconds in which failures do not count"
    )

    @pydantic.field_validator("test")
    @classmethod
    def _known(cls, test: tuple[str, ...]) -> tuple[str, ...]:
        if test[0] not in ("NONE", "CMD", "CMD-SHELL"):
            raise ValueError("must begin with NONE, CMD or CMD-SHELL")
        return test


class Resources(values.Value):
    """Compose ``deploy.resources``."""

    limits: recipe.Limits = recipe.Limits()


class Deploy(values.Value):
    """Compose ``deploy``."""

    resources: Resources = Resources()
    replicas: Annotated[int, pydantic.Field(ge=1, le=50)] = pydantic.Field(
        default=1, description="containers of the version that serves, balanced by the proxy"
    )


class Service(values.Value, defer_build=True):
    """What a container is run with; only the operator sets it, in the registry."""

    build: Build = Build()
    image: str | None = pydantic.Field(
        default=None,
        description="image to pull in place of building one, such as registry.example/shop:main; "
        "its registry is asked for the digest, and that is what runs",
    )
    ports: tuple[Port, ...] = pydantic.Field(
        default=(), description="what the proxy publishes of it"
    )
    environment: values.Pairs = pydantic.Field(
        default_factory=dict, description="environment of the container"
    )
    env_file: tuple[values.SecretName, ...] = pydantic.Field(
        default=(),
        description="names of secrets whose KEY=VALUE lines join the environment; the values are "
        "files, and in no record",
    )
    entrypoint: values.Words | None = pydantic.Field(
        default=None, description="replaces the entrypoint of the image"
    )
    command: values.Words | None = pydantic.Field(
        default=None, description="replaces the command of the image"
    )
    healthcheck: Healthcheck | None = pydantic.Field(
        default=None, description="replaces the HEALTHCHECK of the image"
    )
    secrets: secret_mount.Mounts = pydantic.Field(
        default=(),
        description="secrets that the container finds as files; their content is that of the "
        "deploy, also after a restart and a roll-back",
    )
    volumes: tuple[volume.Volume, ...] = pydantic.Field(
        default=(),
        description="SOURCE:TARGET[:ro], a named volume or a folder of the host, or Compose's "
        "long form of it",
    )
    tmpfs: tuple[str, ...] = pydantic.Field(
        default=(), description="paths kept in memory, such as /run or /run:size=64m"
    )
    networks: tuple[str, ...] = pydantic.Field(
        default=(), description="further networks of the engine that it joins"
    )
    extra_hosts: values.Pairs = pydantic.Field(
        default_factory=dict, description="host names and the addresses they stand for"
    )
    dns: Annotated[tuple[str, ...], pydantic.BeforeValidator(values.listed)] = pydantic.Field(
        default=(), description="addresses of the name servers that it asks"
    )
    hostname: str | None = pydantic.Field(default=None, description="its own host name")
    user: str | None = pydantic.Field(default=None, description="user, or user:group")
    group_add: tuple[Annotated[str, pydantic.BeforeValidator(values.text)], ...] = pydantic.Field(
        default=(), description="further groups of its user, by name or number"
    )
    working_dir: str | None = pydantic.Field(default=None, description="folder it starts in")
    init: bool = pydantic.Field(
        default=False, description="run a small init that reaps processes and passes signals on"
    )
    read_only: bool = pydantic.Field(
        default=False, description="its root file system cannot be written"
    )
    privileged: bool = pydantic.Field(default=False, description="all rights on the host")
    cap_add: tuple[str, ...] = pydantic.Field(default=(), description="capabilities to add")
    cap_drop: tuple[str, ...] = pydantic.Field(default=(), description="capabilities to take")
    devices: tuple[Annotated[str, pydantic.Field(pattern=_DEVICE)], ...] = pydantic.Field(
        default=(), description="devices of the host, as /dev/x or /dev/x:/dev/y:rwm"
    )
    security_opt: tuple[str, ...] = pydantic.Field(
        default=(),
        description="such as no-new-privileges:true or seccomp=FILE, a profile on this machine",
    )
    sysctls: Annotated[values.Pairs, pydantic.BeforeValidator(values.texts)] = pydantic.Field(
        default_factory=dict, description="settings of the kernel, of its own network and IPC"
    )
    ulimits: recipe.Ulimits = pydantic.Field(
        default_factory=dict[recipe.UlimitName, recipe.Ulimit],
        description="limits of each process; one number is soft and hard",
    )
    shm_size: values.Bytes | None = pydantic.Field(default=None, description="size of /dev/shm")
    labels: values.Pairs = pydantic.Field(default_factory=dict, description="further labels")
    restart: str = pydantic.Field(
        default="unless-stopped", pattern=_RESTART, description="what the engine does when it ends"
    )
    stop_signal: str | None = pydantic.Field(
        default=None, pattern=r"^(SIG)?[A-Z0-9+-]+$", description="signal that asks it to end"
    )
    stop_grace_period: values.Seconds = pydantic.Field(
        default=10, description="seconds between the stop signal and SIGKILL"
    )
    deploy: Deploy = Deploy()

    @pydantic.field_validator("image")
    @classmethod
    def _pullable(cls, image: str | None) -> str | None:
        return str(reference.parse(image)) if image is not None else None

    @pydantic.field_validator("labels")
    @classmethod
    def _not_ours(cls, given: dict[str, str]) -> dict[str, str]:
        return labels.not_ours(given)

    @pydantic.model_validator(mode="after")
    def _ports_differ(self) -> "Service":
        published = [(port.published, port.protocol) for port in self.ports]
        if len(published) != len(set(published)):
            raise ValueError("publishes one port twice")
        return self

    @property
    def hosts(self) -> tuple[str, ...]:
        """The host names of its ports, each once."""
        return tuple(dict.fromkeys(host for port in self.ports for host in port.hosts))

    @property
    def certificates(self) -> tuple[str, ...]:
        """The names of its ports' certificates, each once."""
        return tuple(dict.fromkeys(name for port in self.ports for name in port.certificates))

    @property
    def stream_ports(self) -> tuple[Port, ...]:
        """The TCP ports: the proxy owns them."""
        return tuple(port for port in self.ports if port.protocol == "tcp")

    @property
    def datagram_ports(self) -> tuple[Port, ...]:
        """The UDP ports: the kernel passes what comes there on."""
        return tuple(port for port in self.ports if port.protocol == "udp")

    @property
    def runs_as(self) -> str:
        """All of it as JSON: when that changes, the project is deployed again."""
        one = self.model_copy(update={"deploy": self.deploy.model_copy(update={"replicas": 1})})
        return one.model_dump_json(
            include=set(Service.model_fields),
            exclude={"ports": {"__all__": set(ROUTING)}},
            exclude_defaults=True,
        )
