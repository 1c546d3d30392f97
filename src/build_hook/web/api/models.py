"""What the API takes and gives, as values; the OpenAPI document is made of them."""

from typing import Annotated, Any, Literal

import pydantic

from build_hook import card, project
from build_hook.deploy import sightings
from build_hook.store import records

_Card = card.Card

BIGGEST_ID = 2**63 - 1
MOST_ROWS = 200


def _whole(given: object) -> object:
    # to JSON Schema 7.0 is an integer
    return int(given) if isinstance(given, float) and given.is_integer() else given


_Positive = Annotated[int, pydantic.Field(ge=1, le=BIGGEST_ID)]
Number = Annotated[_Positive, pydantic.BeforeValidator(_whole, json_schema_input_type=_Positive)]
Name = Annotated[str, pydantic.Field(pattern=project.NAME)]
Time = Annotated[float, pydantic.Field(description="seconds since 1970, UTC")]
Ref = Annotated[
    str,
    pydantic.Field(
        min_length=1,
        max_length=255,
        json_schema_extra={"format": "git-ref"},
        description="branch (short or full) or full tag ref",
    ),
]


class Asked(pydantic.BaseModel):
    """What a client sends; what is not known is refused, since it is most often a typo."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


class Given(pydantic.BaseModel):
    """What a client gets; fields may be added to it."""

    model_config = pydantic.ConfigDict(frozen=True)


class Nothing(Asked):
    """A call without parameters."""


class Page(Asked):
    """Which rows of a list."""

    project: Name | None = pydantic.Field(default=None, description="only of this project")
    limit: Annotated[int, pydantic.Field(ge=1, le=MOST_ROWS)] = pydantic.Field(
        default=20, description="most rows"
    )
    before: Number | None = pydantic.Field(
        default=None, description="only rows with a smaller id: next of the page before"
    )


class ProjectsPage(Asked):
    """Which projects."""

    limit: Annotated[int, pydantic.Field(ge=1, le=MOST_ROWS)] | None = pydantic.Field(
        default=None, description="most projects; all of them by default"
    )
    after: Name | None = pydantic.Field(
        default=None, description="only names that come later: next of the page before"
    )


class LogOptions(Asked):
    """How a log is read."""

    follow: Literal["0", "1"] = pydantic.Field(
        default="0", description="1: server-sent events until the build has ended"
    )


class Deploy(Asked):
    """What is to be deployed."""

    ref: Ref | None = pydantic.Field(
        default=None, description="another branch or ref than the tracked one"
    )
    force: bool = pydantic.Field(default=False, description="though it is paused or frozen")
    fresh: bool = pydantic.Field(
        default=False, description="on the newest base image, and without the cache"
    )


class Rollback(Asked):
    """Where to go back to."""

    to: Number | None = pydantic.Field(
        default=None, description="build to go back to; the version before by default"
    )


class Refusal(Given):
    """Every error."""

    success: Literal[False] = False
    error: str = pydantic.Field(description="what was wrong")
    hint: str = pydantic.Field(description="what to do about it")


class Build(Given):
    """One build."""

    id: Number
    project: str
    ref: str
    commit: str | None = pydantic.Field(description="null until the head of ref is known")
    message: str | None = pydantic.Field(description="first line of the commit's message")
    cause: records.Cause
    source: int | None = pydantic.Field(description="the build whose image a roll-back takes")
    phase: records.Phase
    reason: str | None = pydantic.Field(description="why it ended as it did")
    cancel: bool = pydantic.Field(description="whether somebody asked it to stop")
    retry: bool = pydantic.Field(description="it failed through no fault of the commit")
    created: Time
    finished: Time | None
    image: str | None
    image_digest: str | None = pydantic.Field(
        description="of an image that was pulled: the manifest's digest in its registry"
    )
    container: str | None
    requests: int | None = pydantic.Field(
        description="served by the proxy during the cutover; null if it was reloaded meanwhile"
    )
    failed: int | None = pydantic.Field(description="how many of them failed")
    longest_gap_ms: int | None = pydantic.Field(
        description="longest time without an answer during the cutover; null if all ports are UDP"
    )
    url: str
    log: str = pydantic.Field(description="where its log can be read")


class PhaseEntered(Given):
    """When a build entered a phase."""

    phase: records.Phase
    at: Time
    seconds: float | None = pydantic.Field(description="how long it lasted; null for an end")


class Service(Given):
    """One service of a compose project; it runs on where a build did not change it."""

    name: str
    image: str
    build: int | None = pydantic.Field(
        description="the build that its containers were made for; null if this one does not serve"
    )
    commit: str | None = pydantic.Field(description="the commit of that build")
    containers: tuple[sightings.Sighting, ...]
    ends: bool = pydantic.Field(description="it runs to its end before others start")
    condition: str = pydantic.Field(description="how its containers are, in words")


class BuildWithPhases(Build):
    """One build, how it went, and why it failed if it did."""

    phases: tuple[PhaseEntered, ...]
    settings: dict[str, Any] | None = pydantic.Field(
        description="the project as it was deployed, without defaults; values of variables are ***"
    )
    card: _Card | None = pydantic.Field(description="null unless it failed or went back")
    progress: str | None = pydantic.Field(
        description="while it is built: the step that began last, as in step 2/5 RUN make"
    )
    services: tuple[Service, ...] = pydantic.Field(description="none where it is one container")


class Builds(Given):
    """Builds, newest first."""

    builds: tuple[Build, ...]
    next: int | None = pydantic.Field(description="before= for the next page; null at the end")


class Project(Given):
    """One project and how it stands."""

    name: str
    repository: str | None = pydantic.Field(
        description="clone URL, without user name and password; null where an image is pulled"
    )
    image: str | None = pydantic.Field(description="the image that is pulled, if none is built")
    ref: str
    tags: str | None = pydantic.Field(description="pattern of the tags it follows in place of ref")
    branches: str | None = pydantic.Field(
        description="pattern of the branches it follows in place of ref"
    )
    ports: tuple[int, ...] = pydantic.Field(description="published ports")
    hosts: tuple[str, ...] = pydantic.Field(description="host names on these ports; none: any")
    certificates: tuple[str, ...] = pydantic.Field(description="names of their certificates")
    live: Build | None = pydantic.Field(description="the build that serves")
    last: Build | None = pydantic.Field(description="the newest build")
    problem: str | None = pydantic.Field(description="what stands in its way")
    warning: str | None
    held: str | None = pydantic.Field(
        description="why its pushes wait: a pause, or a window in which it is frozen"
    )
    services: tuple[Service, ...] = pydantic.Field(
        description="of a compose project: what serves, in the order in which it starts"
    )


class Projects(Given):
    """Projects, by name."""

    projects: tuple[Project, ...]
    next: str | None = pydantic.Field(description="after for the next page, if there is more")
    registry_problem: str | None = pydantic.Field(
        description="why the registry file is not what is in force"
    )
    engine_problem: str | None = pydantic.Field(description="what the Docker engine lacks")
    web_problem: str | None = pydantic.Field(description="what is wrong with tls_port")
