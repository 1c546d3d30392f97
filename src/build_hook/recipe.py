"""How an image is made, in the names of the Compose build specification.

https://github.com/compose-spec/compose-spec/blob/main/build.md
"""

import re
from typing import Annotated, Any, Literal

import pydantic

from build_hook import labels, reference, values

# KEY in --ulimit KEY=SOFT:HARD, as docker knows them (github.com/docker/go-units).
UlimitName = Literal[
    "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile",
    "nproc", "rss", "rtprio", "rttime", "sigpending", "stack",
]  # fmt: skip
# Arguments that steer the builder itself, not the Dockerfile (docs.docker.com, build variables).
_OF_THE_BUILDER = "BUILDKIT_"
_ID = r"^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$"
_PLATFORM = r"^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9_.]+)?$"


def steers_builder(argument: str) -> bool:
    """Whether a build argument is the builder's: no pushed file may set it."""
    return argument.upper().startswith(_OF_THE_BUILDER)


def _secrets(given: Any) -> Any:
    """Read Compose's short form: a name stands for itself, as file and in the build."""
    if not isinstance(given, list | tuple):
        return given
    listed: list[Any] = list(given)  # pyright: ignore[reportUnknownArgumentType]
    return [{"source": each} if isinstance(each, str) else each for each in listed]


def _ulimits(given: Any) -> Any:
    """Read Compose's short form: one number is the soft and the hard limit."""
    if not isinstance(given, dict):
        return given
    named: dict[Any, Any] = dict(given)  # pyright: ignore[reportUnknownArgumentType]
    return {
        name: {"soft": each, "hard": each} if isinstance(each, int) else each
        for name, each in named.items()
    }


class Limits(values.Value):
    """The most that a container, or the steps of a build together, may take."""

    cpus: Annotated[float, pydantic.Field(gt=0)] | None = pydantic.Field(
        default=None, description="processors, in parts of one"
    )
    memory: values.Bytes | None = pydantic.Field(default=None, description="such as 512m")
    pids: Annotated[int, pydantic.Field(ge=1)] | None = pydantic.Field(
        default=None, description="processes and threads"
    )


class Secret(values.Value):
    """A file that a step can read while it runs, and that is in no layer: Compose ``secrets``."""

    source: values.SecretName = pydantic.Field(description="name of the secret here")
    target: Annotated[str, pydantic.Field(pattern=_ID)] | None = pydantic.Field(
        default=None,
        description="id in RUN --mount=type=secret,id=…; default: the name of the secret",
    )

    @property
    def id(self) -> str:
        """What the Dockerfile calls it."""
        return self.target or self.source


class Ulimit(values.Value):
    """One limit of a process, as setrlimit(2) has it; -1 is no limit."""

    soft: Annotated[int, pydantic.Field(ge=-1)] = pydantic.Field(description="in force at first")
    hard: Annotated[int, pydantic.Field(ge=-1)] = pydantic.Field(
        description="what a process may raise it to"
    )


Ulimits = Annotated[dict[UlimitName, Ulimit], pydantic.BeforeValidator(_ulimits)]


class Build(values.Value):
    """How the image is made, as Compose ``build``."""

    context: str = pydantic.Field(
        default=".", description="folder of the repository that is sent to the builder"
    )
    dockerfile: str = pydantic.Field(
        default="Dockerfile", description="path of the Dockerfile, relative to the context"
    )
    args: values.Pairs = pydantic.Field(default_factory=dict, description="build arguments")
    target: str | None = pydantic.Field(default=None, description="stage to stop at")
    timeout: values.Seconds = pydantic.Field(
        default=1800, description="seconds after which a build is stopped"
    )
    limits: Limits = pydantic.Field(
        default=Limits(),
        description="in place of the settings build_cpus, build_memory_mb and build_pids",
    )
    ulimits: Ulimits = pydantic.Field(
        default_factory=dict[UlimitName, Ulimit],
        description="needs engine 23: limits of each process; one number is soft and hard",
    )
    secrets: Annotated[tuple[Secret, ...], pydantic.BeforeValidator(_secrets)] = pydantic.Field(
        default=(), description="secrets for RUN --mount=type=secret, by name"
    )
    ssh: Annotated[
        dict[str, values.SecretName],
        pydantic.BeforeValidator(values.pairs),
    ] = pydantic.Field(
        default_factory=dict,
        description="private keys for RUN --mount=type=ssh: its id (default, most often) and "
        "the name of the secret that holds the key, without a passphrase",
    )
    registry_logins: Annotated[
        dict[Annotated[str, pydantic.AfterValidator(reference.registry)], values.SecretName],
        pydantic.BeforeValidator(values.pairs),
    ] = pydantic.Field(
        default_factory=dict,
        description="hosts of registries (docker.io, ghcr.io, …) and the names of the secrets "
        "whose USER:PASSWORD opens them, for base images, caches and images of a compose file",
    )
    platforms: tuple[Annotated[str, pydantic.Field(pattern=_PLATFORM)], ...] = pydantic.Field(
        default=(),
        max_length=8,
        description="platforms to build for, the one that it runs on among them; several need "
        "buildx and the engine's containerd image store",
    )
    cache_from: values.Words = pydantic.Field(
        default=(), description="images, or type=… with its options, whose layers may be used"
    )
    cache_to: values.Words = pydantic.Field(
        default=(),
        description="type=inline, or with buildx type=registry,ref=…: where layers are kept",
    )
    no_cache: bool = pydantic.Field(
        default=False, description="use no layer of an earlier build, nor its cache mounts"
    )
    pull: bool = pydantic.Field(
        default=False, description="ask the registry for a newer base image at every build"
    )
    labels: values.Pairs = pydantic.Field(
        default_factory=dict, description="further labels of the image"
    )
    network: Literal["default", "host", "none"] = pydantic.Field(
        default="default", description="network of the steps"
    )
    shm_size: values.Bytes | None = pydantic.Field(
        default=None, description="needs engine 23: size of /dev/shm in the steps"
    )
    extra_hosts: values.Pairs = pydantic.Field(
        default_factory=dict, description="host names and the addresses they stand for"
    )
    additional_contexts: values.Pairs = pydantic.Field(
        default_factory=dict,
        description="needs buildx: names for COPY --from and FROM; a folder of the repository, "
        "docker-image://… or a git or https URL",
    )
    provenance: str | None = pydantic.Field(
        default=None,
        pattern=r"^(true|false|mode=(min|max))$",
        description="needs buildx 0.10: record how the image was made",
    )
    sbom: bool = pydantic.Field(
        default=False, description="needs buildx 0.10: record what is in the image"
    )

    @pydantic.field_validator("context", "dockerfile")
    @classmethod
    def _inside(cls, path: str) -> str:
        return _path(path)

    @pydantic.field_validator("ssh", "additional_contexts")
    @classmethod
    def _named(cls, given: dict[str, str]) -> dict[str, str]:
        for name in given:
            if not re.fullmatch(_ID, name):
                raise ValueError(f"{name!r} cannot be a name in the build")
        return given

    @pydantic.field_validator("additional_contexts")
    @classmethod
    def _all_inside(cls, contexts: dict[str, str]) -> dict[str, str]:
        for where in contexts.values():
            if "://" not in where:
                _path(where)
        return contexts

    @pydantic.field_validator("labels")
    @classmethod
    def _not_ours(cls, given: dict[str, str]) -> dict[str, str]:
        return labels.not_ours(given)


def _path(path: str) -> str:
    if path.startswith(("/", "-")) or ".." in path.split("/") or "\0" in path:
        raise ValueError("must be a path inside the repository, without '..'")
    return path
