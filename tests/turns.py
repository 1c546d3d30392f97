"""``./dev test`` may share the tests between processes; some of them must not be side by side."""

import contextlib
import fcntl
import pathlib
from collections.abc import Iterator


@contextlib.contextmanager
def turn(folder: pathlib.Path, *, alone: bool) -> Iterator[None]:
    """Keep every process out that is alone, and if we are, all the others.

    The gate keeps one that waits to be alone from being overtaken for ever.
    """
    with (folder / "turn").open("w") as held:
        with (folder / "gate").open("w") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            fcntl.flock(held, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
