"""A part of a project: one service of its compose file, deployed like a project of its own.

Its name is PROJECT.SERVICE, which no project can have: under it the proxy, the store and the
engine know it. A project without a compose file is its own only part.
"""

from collections.abc import Iterable
from typing import Any

import pydantic

from build_hook import project, service

# What a project says for all of its services.
_INHERITED = ("repository", "ref", "health", "drain", "session_grace", "watch", "tolerance")
_NAME = r"^[a-z0-9][a-z0-9-]*\.[a-z0-9][a-z0-9_-]*$"


class Part(project.Project, defer_build=True):
    """A service of a compose file, as it is built, run and proved."""

    name: str = pydantic.Field(pattern=_NAME, description="PROJECT.SERVICE")
    reference: str | None = pydantic.Field(
        default=None, description="image that is pulled where none is built"
    )
    after: tuple[str, ...] = pydantic.Field(default=(), description="services that come first")
    restarts_with: tuple[str, ...] = pydantic.Field(
        default=(), description="services whose replacement replaces this one too"
    )
    ends: bool = pydantic.Field(
        default=False, description="runs to its end before the services after it start"
    )
    peers: tuple[str, ...] = pydantic.Field(
        default=(), description="names by which it finds the other services"
    )

    @property
    def project_name(self) -> str:
        """The project that it is a part of."""
        return self.name.partition(".")[0]

    @property
    def service_name(self) -> str:
        """What the compose file calls it."""
        return self.name.partition(".")[2]

    @property
    def needs_container(self) -> str:
        """What its container depends on, as JSON: when that changes it is replaced."""
        settings = set(service.Service.model_fields) - {"build", "ports", "stop_grace_period"}
        return self.model_dump_json(
            include={*settings, "ends", "peers"}, exclude_defaults=True, round_trip=True
        )


def make(of: project.Project, name: str, given: dict[str, Any]) -> Part:
    """The part of a project that a service is, with the project's rules where it has none.

    Raises:
        ValidationError: if a value is not what Compose means by it.
    """
    inherited = {key: getattr(of, key) for key in _INHERITED}
    return Part.model_validate({**inherited, **given, "name": f"{of.name}.{name}"})


def units(projects: Iterable[project.Project]) -> tuple[project.Project, ...]:
    """Projects, those with a compose file as the parts of them that have published ports."""
    return tuple(unit for of in projects for unit in _units(of))


def _units(of: project.Project) -> list[project.Project]:
    if of.compose is None:
        return [of]
    return [
        make(of, name, {"ports": [port.model_dump() for port in own.ports]})
        for name, own in of.compose.services.items()
        if own.ports
    ]


def root(unit: str) -> str:
    """The project that a unit's name belongs to."""
    return unit.partition(".")[0]
