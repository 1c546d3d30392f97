"""The card of a build that failed: what happened, what was different before, what to do next."""

import pydantic

# More of a list than this is only counted.
MOST = 50


class Part(pydantic.BaseModel):
    """A part of a card; fields may be added to it."""

    model_config = pydantic.ConfigDict(frozen=True, extra="ignore")


class Change(Part):
    """A setting that differs; values of variables are not shown, they may be secrets."""

    name: str
    before: str
    after: str


class Difference(Part):
    """What a build has in another way than the last good one."""

    build: int = pydantic.Field(description="the last good build")
    settings: tuple[Change, ...] = ()
    before: str | None = pydantic.Field(default=None, description="its commit")
    after: str | None = pydantic.Field(default=None, description="the commit that failed")
    files: tuple[str, ...] | None = pydantic.Field(
        default=None, description="files that differ; null where that is not known"
    )
    more_files: int = pydantic.Field(default=0, description="files that are not listed")


class Card(Part):
    """Why a build failed."""

    phase: str = pydantic.Field(description="where it failed")
    reason: str
    next: str = pydantic.Field(description="the command to go on with")
    exit_code: int | None = pydantic.Field(
        default=None, description="of the container, or of the command that failed in the build"
    )
    out_of_memory: bool = pydantic.Field(
        default=False, description="whether the kernel killed it for its memory"
    )
    restarts: int = pydantic.Field(default=0, description="how often the engine restarted it")
    log: tuple[str, ...] = pydantic.Field(
        default=(), description="the build's last lines in that phase"
    )
    container: tuple[str, ...] = pydantic.Field(
        default=(), description="the container's last lines"
    )
    difference: Difference | None = pydantic.Field(
        default=None, description="against the last good one; null where there is none"
    )
