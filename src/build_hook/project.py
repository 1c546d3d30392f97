"""A project: one repository, how it is built, how it runs, how it proves itself.

Run and build settings use the names of the Compose specification where it has one.
"""

from typing import Annotated, Literal

import pydantic

from build_hook import patterns

NAME = r"^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$"
SECRET_NAME = r"^[a-z0-9][a-z0-9._-]{0,62}$"  # noqa: S105 - a pattern for file names
PortNumber = Annotated[int, pydantic.Field(ge=1, le=65535)]
Provider = Literal[
    "github",
    "gitlab",
    "gitea",
    "forgejo",
    "gogs",
    "bitbucket-cloud",
    "bitbucket-dc",
    "bitbucket-legacy-post",
    "azure-devops",
    "standard-webhooks",
    "dockerhub",
    "harbor",
    "registry",
    "generic",
]
Seconds = Annotated[float, pydantic.Field(ge=0, le=86_400)]


class Value(pydantic.BaseModel):
    """A frozen value; a key that is not known is an error, since it is most often a typo."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


class Port(Value):
    """One published port, in the long form of Compose ``ports``."""

    target: PortNumber = pydantic.Field(description="port that the container listens on")
    published: PortNumber = pydantic.Field(description="port of the host, owned by the proxy")
    app_protocol: Literal["http", "tcp"] = pydantic.Field(
        default="http",
        description="http: every request goes to the version that is live; "
        "tcp: every connection does",
    )


class Build(Value):
    """How the image is made, as Compose ``build``."""

    context: str = pydantic.Field(
        default=".", description="folder of the repository that is sent to the builder"
    )
    dockerfile: str = pydantic.Field(
        default="Dockerfile", description="path of the Dockerfile, relative to the context"
    )
    args: dict[str, str] = pydantic.Field(default_factory=dict, description="build arguments")
    target: str | None = pydantic.Field(default=None, description="stage to stop at")
    timeout: Seconds = pydantic.Field(
        default=1800, description="seconds after which a build is stopped"
    )

    @pydantic.field_validator("context", "dockerfile")
    @classmethod
    def _inside(cls, path: str) -> str:
        if path.startswith(("/", "-")) or ".." in path.split("/") or "\0" in path:
            raise ValueError("must be a path inside the repository, without '..'")
        return path


class Health(Value):
    """What a new container must show before it gets traffic.

    An image's own HEALTHCHECK always counts. With ``path`` an HTTP GET must answer 2xx or 3xx;
    without either a TCP connection must succeed on every published target.
    """

    path: str | None = pydantic.Field(
        default=None, pattern=r"^/[!-~]*$", description="path that an HTTP GET must find"
    )
    port: PortNumber | None = pydantic.Field(
        default=None, description="container port for path; default: the first target"
    )
    timeout: Seconds = pydantic.Field(
        default=60, description="seconds a new container has to become ready"
    )
    interval: Annotated[float, pydantic.Field(ge=0.01, le=60)] = pydantic.Field(
        default=0.05, description="seconds between two probes"
    )
    successes: Annotated[int, pydantic.Field(ge=1, le=100)] = pydantic.Field(
        default=2, description="probes in a row that must succeed"
    )
    min_uptime: Seconds = pydantic.Field(
        default=0.5, description="seconds a new container must have run without a restart"
    )


_RUNS_AS = {"build", "ports", "environment", "command", "volumes"}


class Project(Value):
    """One entry of the registry."""

    name: str = pydantic.Field(
        pattern=NAME, description="what people, containers and addresses call it"
    )
    repository: str = pydantic.Field(
        min_length=1, description="clone URL; the payload's is unused"
    )
    ref: str = pydantic.Field(
        default="refs/heads/main", description="branch (short or full) or full tag ref to follow"
    )
    secrets: tuple[Annotated[str, pydantic.Field(pattern=SECRET_NAME)], ...] = pydantic.Field(
        default=(),
        max_length=2,
        description="names of the webhook secrets, two during a rotation; the values are files",
    )
    allow_unsigned: bool = pydantic.Field(
        default=False,
        description="accept deliveries without proof of who sent them, when there is no secret: "
        "whoever reaches the port can start a build",
    )
    allow_sha1: bool = pydantic.Field(
        default=False, description="accept SHA1 signatures, for hosts that have nothing else"
    )
    provider: Provider | None = pydantic.Field(
        default=None, description="the git host's kind; deliveries of another kind are refused"
    )
    tags: Annotated[str, pydantic.Field(min_length=1, max_length=255)] | None = pydantic.Field(
        default=None,
        description="follow the tags of this pattern in place of ref; * and ? stop at /, ** "
        "does not",
    )
    skip_words: tuple[Annotated[str, pydantic.Field(min_length=1)], ...] = pydantic.Field(
        default=("[skip ci]", "[ci skip]", "[skip deploy]"),
        description="a head commit whose message has one of these is not built",
    )
    after_ci: bool = pydantic.Field(
        default=False, description="build once CI has succeeded for the commit, not on the push"
    )
    paths: tuple[Annotated[str, pydantic.Field(min_length=1)], ...] = pydantic.Field(
        default=(), description="build only if a file of one of these patterns has changed"
    )
    cancel_running: bool = pydantic.Field(
        default=False,
        description="a newer push stops a build that has not begun to take traffic; "
        "otherwise it is finished first",
    )
    build: Build = Build()
    ports: tuple[Port, ...] = pydantic.Field(
        default=(), description="what the proxy publishes of it"
    )
    environment: dict[str, str] = pydantic.Field(
        default_factory=dict, description="environment of the container"
    )
    command: tuple[str, ...] | None = pydantic.Field(
        default=None, description="replaces the command of the image"
    )
    volumes: tuple[str, ...] = pydantic.Field(
        default=(), description="as Compose: SOURCE:TARGET[:ro]"
    )
    stop_grace_period: Seconds = pydantic.Field(
        default=10, description="seconds between the stop signal and SIGKILL"
    )
    health: Health = Health()
    drain: Seconds = pydantic.Field(
        default=10, description="most seconds that open sessions may finish on the old version"
    )
    watch: Seconds = pydantic.Field(
        default=10, description="seconds a new version is watched, the old one at hand"
    )

    @pydantic.field_validator("tags")
    @classmethod
    def _tag_pattern(cls, pattern: str | None) -> str | None:
        return patterns.check(pattern) if pattern is not None else None

    @pydantic.field_validator("paths")
    @classmethod
    def _path_patterns(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(patterns.check(pattern) for pattern in given)

    @pydantic.field_validator("repository")
    @classmethod
    def _clonable(cls, url: str) -> str:
        allowed = ("https://", "http://", "ssh://", "git://")
        scp_like = "@" in url.split(":")[0] and ":" in url and "::" not in url
        if url.startswith("-") or not (url.startswith(allowed) or scp_like):
            raise ValueError("must be an https, http, ssh or git URL, or user@host:path")
        if any(c.isspace() or not c.isprintable() for c in url):
            raise ValueError("must not contain white space or control characters")
        return url

    @pydantic.field_validator("ref")
    @classmethod
    def _full_ref(cls, ref: str) -> str:
        return full_ref(ref)

    @pydantic.model_validator(mode="after")
    def _ports_differ(self) -> "Project":
        published = [port.published for port in self.ports]
        if len(published) != len(set(published)):
            raise ValueError("publishes one port twice")
        return self

    @property
    def runs_as(self) -> str:
        """What a running version depends on, as JSON: when it changes, the project is deployed."""
        return self.model_dump_json(include=_RUNS_AS, exclude_defaults=True)

    @property
    def follows_tags(self) -> bool:
        """Whether tags are deployed, not the head of a ref."""
        return self.tags is not None

    @property
    def branch(self) -> str:
        """The tracked ref as people say it: without ``refs/heads/``."""
        return self.ref.removeprefix("refs/heads/")


def full_ref(ref: str) -> str:
    """Make a full ref of a branch's short name; refuse what git would (check-ref-format).

    Raises:
        ValueError: if it cannot be a ref.
    """
    full = ref if ref.startswith("refs/") else f"refs/heads/{ref}"
    has_bad_character = any(c in " ~^:?*[\\\x7f" or ord(c) < 32 for c in full)
    has_bad_part = any(
        not part or part.startswith(".") or part.endswith(".lock") for part in full.split("/")
    )
    if has_bad_character or has_bad_part or ".." in full or "@{" in full or full.endswith("."):
        raise ValueError("is not a valid git ref name (see git check-ref-format)")
    return full
