"""A project as one of its builds runs: what its own scripts said stands beside the registry's."""

import pydantic

from build_hook import project


class Deployed(project.Project, defer_build=True):
    """What is recorded of a build, so that it can be run again without its scripts."""

    run_line: tuple[str, ...] = pydantic.Field(
        default=(), description="the words of docker run that its start script said"
    )
    run_in: str | None = pydantic.Field(
        default=None, description="the folder in which it said them"
    )
    known_as: str | None = pydantic.Field(
        default=None, description="what its scripts call the container"
    )
    alone: str | None = pydantic.Field(
        default=None, description="why it cannot run beside another version"
    )
    unsaid: tuple[int, ...] = pydantic.Field(
        default=(), description="published TCP ports of which nobody said what they speak"
    )
    asked: str | None = pydantic.Field(
        default=None, description="what the registry asked for, where the scripts said more"
    )

    @property
    def runs_as(self) -> str:
        """What is compared with the registry: what that one said."""
        return self.asked if self.asked is not None else super().runs_as

    @property
    def stops_first(self) -> bool:
        """Whether the old version has to stop before the new one starts."""
        return self.alone is not None or super().stops_first


def of(registered: project.Project, **said: object) -> Deployed:
    """A registered project with what its scripts said."""
    return Deployed.model_validate(
        {**registered.model_dump(exclude_defaults=True), "asked": registered.runs_as, **said}
    )
