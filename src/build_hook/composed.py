"""What the operator says of a repository with a compose file: which, and what it may do."""

import functools
import re
from typing import Any, Literal

import pydantic

from build_hook import proof, service, shapes, values

SERVICE = r"^[a-z0-9][a-z0-9_-]{0,46}$"
# Settings of a service that a project with a compose file has for all of them: the variables of
# the file, the time of a build, the limits of every container.
OF_ALL = frozenset({"environment", "build", "deploy"})
Allowed = Literal["cap_add", "host_volumes", "privileged"]
_ADDED = ("volumes", "tmpfs", "networks", "env_file", "cap_add", "cap_drop")


class Care(values.Value, defer_build=True):
    """How one service is replaced; in the compose file as ``x-build-hook``."""

    strategy: Literal["rolling", "recreate"] | None = pydantic.Field(
        default=None,
        description="default: recreate for a service with a named volume, no published port and "
        "one replica, rolling for any other",
    )
    health: proof.Health | None = pydantic.Field(
        default=None, description="in place of the project's health"
    )
    drain: values.Seconds | None = pydantic.Field(
        default=None, description="in place of the project's drain"
    )


class Own(service.Service, Care):
    """The operator's own settings of one service; they win over the file's."""

    def over(self, file: dict[str, Any]) -> dict[str, Any]:
        """The file's settings with these over them: mappings and lists of things are joined."""
        given = self.model_dump(exclude_defaults=True)
        return {**file, **{key: _joined(key, file.get(key), new) for key, new in given.items()}}


class Compose(values.Value):
    """The compose file of a project whose repository runs as several containers."""

    file: str | None = pydantic.Field(
        default=None,
        description="path in the repository; default: compose.yaml, compose.yml, "
        "docker-compose.yaml or docker-compose.yml in its root",
    )
    profiles: tuple[str, ...] = pydantic.Field(
        default=(), description="profiles whose services run too"
    )
    allow: tuple[Allowed, ...] = pydantic.Field(
        default=(), description="what the file may ask for that is else only the operator's"
    )
    ignore: tuple[str, ...] = pydantic.Field(
        default=(),
        description="keys of services that are passed over, such as ports, in place of refused",
    )
    services: dict[str, Own] = pydantic.Field(
        default_factory=dict,
        description="the operator's own settings by service, such as its published ports; they "
        "win over the file's",
    )

    @pydantic.field_validator("services")
    @classmethod
    def _named(cls, services: dict[str, Own]) -> dict[str, Own]:
        for name in services:
            if not re.fullmatch(SERVICE, name):
                raise ValueError(f"{name!r} cannot be a service here: use a-z, 0-9, - and _")
        return services

    @pydantic.field_validator("file")
    @classmethod
    def _inside(cls, path: str | None) -> str | None:
        if path is not None and (path.startswith(("/", "-")) or ".." in path.split("/")):
            raise ValueError("must be a path inside the repository, without '..'")
        return path


def _joined(key: str, file: Any, own: Any) -> Any:
    if shapes.is_mapping(own) and shapes.is_mapping(file):
        given: dict[str, Any] = own
        found: dict[str, Any] = file
        return {**found, **{name: _joined(name, found.get(name), v) for name, v in given.items()}}
    if key in _ADDED and file:
        return (*file, *own)
    return own


class Composed(service.Service):
    """One container, or several by service; a setting that is for all of them is neither."""

    compose: Compose | None = pydantic.Field(
        default=None,
        description="the repository has a compose file: it runs as several containers; what of "
        "each service is the operator's stands here, and environment fills in its variables",
    )

    @pydantic.model_validator(mode="after")
    def _by_service(self) -> "Composed":
        for name in set(service.Service.model_fields) - OF_ALL if self.compose else ():
            if getattr(self, name) != getattr(_plain(), name):
                raise ValueError(f"{name} stands by service: move it to compose.services")
        if self.compose and self.deploy.replicas > 1:
            raise ValueError("deploy.replicas stands by service: move it to compose.services")
        return self

    @property
    def runs_as(self) -> str:
        """What makes it be deployed again when it changes, as text to compare."""
        file = self.compose.model_dump_json(exclude_defaults=True) if self.compose else ""
        return super().runs_as + file


@functools.cache
def _plain() -> service.Service:
    """What somebody says who says nothing of how a container runs."""
    return service.Service()
