"""A project whose repository has its own build and start scripts, as in 2015."""

from typing import Annotated

import pydantic

from build_hook import values


def _absolute(path: str) -> str:
    if not path.startswith("/") or ".." in path.split("/") or "\0" in path:
        raise ValueError("must be an absolute path, without '..'")
    return path


def _inside(path: str) -> str:
    if path.startswith(("/", "-")) or ".." in path.split("/") or "\0" in path:
        raise ValueError("must be a path inside the repository, without '..'")
    return path


class Script(values.Value):
    """How the scripts of a repository are run; only with the strategy ``script``."""

    build: Annotated[str, pydantic.Field(min_length=1), pydantic.AfterValidator(_inside)] = (
        pydantic.Field(default="build.sh", description="script of the repository that is run")
    )
    path: Annotated[str, pydantic.AfterValidator(_absolute)] | None = pydantic.Field(
        default=None,
        description="folder below which the repository is cloned under its own name; by default "
        "one of the state folder",
    )
    overlap: bool = pydantic.Field(
        default=True,
        description="whether the new container may run beside the old one; otherwise that one "
        "stops first and requests wait meanwhile",
    )
