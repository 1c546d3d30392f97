"""The pushes of the demo, in order."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """What a developer pushes: files of ``apps/<files>`` over what is there."""

    project: str
    message: str
    files: str
    broken: bool = False


FIRST = (Change("web", "Begin", "web"), Change("echo", "Begin", "echo"))
CHANGES = (
    Change("web", "Say something new", "web"),
    Change("echo", "Answer anew", "echo"),
    Change("web", "Say something newer", "web"),
    Change("echo", "Die after the start", "broken", broken=True),
    Change("echo", "Live on", "echo"),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Pushed:
    """A change that is at the git host, and since when."""

    change: Change
    version: str
    commit: str
    at: float
