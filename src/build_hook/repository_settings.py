"""What a pushed repository may set for itself, in its ``build-hook.toml``.

Only how it is built from its own files and how a version proves itself; only as far as the
operator allows it at all (``repository_settings: safe``); and never what the operator has set: the
registry goes first. Mounts, privileges, networks, ports, environment and secrets are not here.
"""

import tomllib
from typing import Annotated, Any

import pydantic

from build_hook import errors, project, recipe, values

FILE = "build-hook.toml"
MOST_BYTES = 65_536
_HINT = f"Correct {FILE} and push; docs/how-to/settings-in-the-repository.md has what it may hold"
Moment = Annotated[values.Seconds, pydantic.Field(le=600)]


class Build(values.Value):
    """How its image is made of its files."""

    context: str | None = None
    dockerfile: str | None = None
    target: str | None = None
    args: values.Pairs | None = None

    @pydantic.field_validator("args")
    @classmethod
    def _not_the_builder_s(cls, args: dict[str, str] | None) -> dict[str, str] | None:
        for name in args or {}:
            if recipe.steers_builder(name):
                raise ValueError(f"{name} steers the builder, which is the operator's")
        return args


class Health(values.Value):
    """What a new container of it must show."""

    path: str | None = None
    port: values.PortNumber | None = None
    timeout: Moment | None = None
    interval: float | None = None
    successes: int | None = None
    min_uptime: Moment | None = None


class RepositorySettings(values.Value):
    """The whole file."""

    build: Build = Build()
    health: Health = Health()
    paths: tuple[str, ...] | None = None
    skip_words: tuple[str, ...] | None = None
    drain: Moment | None = None
    watch: Moment | None = None

    @property
    def said(self) -> dict[str, Any]:
        """What it says, as plain values."""
        return self.model_dump(exclude_unset=True)


def parse(text: str) -> RepositorySettings:
    """Read the file.

    Raises:
        RepositorySettingsError: if it cannot be read, or asks for what is the operator's.
    """
    try:
        return RepositorySettings.model_validate(tomllib.loads(text))
    except pydantic.ValidationError as error:
        raise errors.RepositorySettingsError(_explained(error), _HINT) from error
    except (ValueError, RecursionError) as error:
        raise errors.RepositorySettingsError(f"{FILE} cannot be read: {error}", _HINT) from error


def apply(of: project.Project, asked: RepositorySettings) -> project.Project:
    """The project with what its repository asked for, where the operator has left the default.

    Raises:
        RepositorySettingsError: if a value breaks a rule of the registry's field.
    """
    given, default = of.model_dump(), _defaults()
    try:
        tuned = type(of).model_validate(_merged(given, default, asked.said))
    except pydantic.ValidationError as error:
        raise errors.RepositorySettingsError(_explained(error), _HINT) from error
    return tuned.on_behalf_of(of)


def _merged(
    given: dict[str, Any], default: dict[str, Any], asked: dict[str, Any]
) -> dict[str, Any]:
    """Nested values join one by one; what differs from the default stays."""
    merged = dict(given)
    for key, value in asked.items():
        known = given.get(key)
        if isinstance(value, dict) and isinstance(known, dict):
            inner: dict[str, Any] = default.get(key) or {}
            merged[key] = _merged(known, inner, value)  # pyright: ignore[reportUnknownArgumentType]
        elif key not in given or known == default.get(key):
            merged[key] = value
    return merged


def _defaults() -> dict[str, Any]:
    return project.Project(name="x", repository="https://x.invalid/x").model_dump()


def _explained(error: pydantic.ValidationError) -> str:
    faults = "; ".join(
        _fault(fault["loc"], fault["type"], fault["msg"]) for fault in error.errors()
    )
    return f"{FILE} cannot be used: {faults}"


def _fault(where: tuple[int | str, ...], kind: str, message: str) -> str:
    name = ".".join(map(str, where)) or "it"
    if kind == "extra_forbidden":
        return f"{name} is the operator's to set"
    return f"{name}: {message.removeprefix('Value error, ')}"
