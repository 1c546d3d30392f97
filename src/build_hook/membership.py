"""Whether a project still belongs to those that are built."""

import pydantic

from build_hook import values


class Membership(values.Value, defer_build=True):
    """A project that has left may be kept: what serves of it serves on."""

    kept: bool = pydantic.Field(
        default=False,
        description="it has left: nothing is built and no delivery taken for it any more, and "
        "what serves serves on with its ports; without the entry that is stopped, too",
    )

    @property
    def left(self) -> tuple[str, ...]:
        """What to say of it wherever it is shown, if it has left."""
        return ("has left, what serves is kept: build-hook remove stops it",) if self.kept else ()
