"""What every source is."""

import dataclasses
from collections.abc import Sequence
from typing import Protocol

from build_hook import deployed, project
from build_hook.deploy import job


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """What a build's ref stands for now: an id that never changes, and what people say of it."""

    commit: str
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class Made:
    """What a build starts from: the id of an image that is here and that collection knows.

    ``project`` is what it runs as, where making it told more than the registry says.
    """

    image: str
    project: deployed.Deployed | None = None


class Source(Protocol):
    """One kind of project. The pipeline calls all but the first in this order, each in its phase.

    What goes wrong is raised as ``errors.BuildHookError``; ``of.check_stop`` is called in all
    that takes long.
    """

    def heads(self, group: Sequence[project.Project]) -> dict[str, str]:
        """Where the refs of projects of one origin are now, by project; no row: nowhere."""
        ...

    def find(self, of: job.Job) -> Found:
        """Fetching: bring what the build's ref stands for."""
        ...

    def has_changed(self, of: job.Job, live: str) -> bool:
        """Whether what was found (``of.commit``) differs from ``live`` where the project looks."""
        ...

    def make(self, of: job.Job) -> Made:
        """Building: make the image of what was found."""
        ...

    def keep(self, of: job.Job) -> None:
        """After it went live: hold on to what later builds are compared with."""
        ...
