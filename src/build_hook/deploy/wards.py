"""One build under watch."""

import dataclasses
from collections.abc import Callable

from build_hook import errors
from build_hook.deploy import cgroups


@dataclasses.dataclass(slots=True, eq=False)
class Ward:
    """One build under watch: whose steps carry ``mark``."""

    mark: str
    ceiling: cgroups.Ceiling
    require_space: Callable[[], None]
    steps: dict[str, cgroups.Group] = dataclasses.field(default_factory=dict[str, cgroups.Group])
    passed: errors.BuildHookError | None = None

    def check(self) -> None:
        """Stop here if the build has passed a limit.

        Raises:
            LimitError: saying which.
            DiskFullError: if it filled the disk.
        """
        if self.passed is not None:
            raise self.passed
