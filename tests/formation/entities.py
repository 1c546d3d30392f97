"""What a model consists of: applications, units, relations, secrets, events."""

import collections
import dataclasses
from typing import Any

from tests.formation import charmfile, machines


@dataclasses.dataclass(frozen=True)
class Event:
    """Something that a unit has to be told, by running its charm."""

    name: str
    relation: int | None = None
    unit: str = ""
    departing: str = ""
    secret: str | None = None
    revision: int | None = None
    storage: str = ""
    action: "Task | None" = None


@dataclasses.dataclass(eq=False)
class Task:
    """A run of an action."""

    id: str
    name: str
    parameters: dict[str, Any]
    results: dict[str, Any] = dataclasses.field(default_factory=dict)
    log: list[str] = dataclasses.field(default_factory=list)
    failure: str | None = None


@dataclasses.dataclass(eq=False)
class Application:
    """A charm under a name, with its config and units."""

    name: str
    charm: charmfile.Charm
    config: dict[str, Any]
    units: dict[str, "Unit"] = dataclasses.field(default_factory=dict)
    status: tuple[str, str] = ("unknown", "")
    version: str = ""
    numbers: int = 0
    leader: str | None = None


@dataclasses.dataclass(eq=False)
class Unit:
    """One instance of an application on a machine."""

    name: str
    app: Application
    machine: machines.Machine
    principal: "Unit | None" = None
    queue: collections.deque[Event] = dataclasses.field(default_factory=collections.deque)
    status: tuple[str, str] = ("waiting", "installing agent")
    ports: set[str] = dataclasses.field(default_factory=set)
    kept: dict[str, str] = dataclasses.field(default_factory=dict)
    # storage → where the machine has it
    storages: dict[str, str] = dataclasses.field(default_factory=dict)
    is_leaving: bool = False

    @property
    def group(self) -> str:
        """The principal that container-scoped relations are about."""
        return (self.principal or self).name

    def tell(self, *events: Event) -> None:
        """Queue what it has to be told; one that goes hears of nothing but its own end."""
        if not self.is_leaving:
            self.queue += events


@dataclasses.dataclass(eq=False)
class Relation:
    """Two ends, or one with itself for peers, and their databags by owner."""

    id: int
    ends: tuple[tuple[str, str], ...]
    is_container: bool
    bags: dict[str, dict[str, str]] = dataclasses.field(
        default_factory=lambda: collections.defaultdict(dict)
    )
    # unit → the remote units that it has been told of
    seen: dict[str, set[str]] = dataclasses.field(
        default_factory=lambda: collections.defaultdict(set)
    )

    @property
    def is_peer(self) -> bool:
        """Whether it is one of an application with itself."""
        return len(self.ends) == 1

    def endpoint(self, app: str) -> str:
        """The endpoint of an application."""
        return next(endpoint for name, endpoint in self.ends if name == app)

    def other(self, app: str) -> str:
        """The application at the other end; for peers the same."""
        return next((name for name, _ in self.ends if name != app), app)

    def has(self, app: str) -> bool:
        """Whether the application is at one of the ends."""
        return any(name == app for name, _ in self.ends)


@dataclasses.dataclass(eq=False)
class Secret:
    """A secret of an application, of a unit, or of a user."""

    id: str
    owner: str  # an application, a unit, or nobody: then a user has made it
    revisions: dict[int, dict[str, str]]
    label: str | None = None
    description: str = ""
    expiry: str | None = None
    latest: int = 1
    # the relation that a grant lasts as long as (a user's needs none), and who may read
    grants: set[tuple[int | None, str]] = dataclasses.field(default_factory=set)
    # unit → the revision that it goes on reading until it refreshes
    tracked: dict[str, int] = dataclasses.field(default_factory=dict)
    # unit → the label under which it reads it
    names: dict[str, str] = dataclasses.field(default_factory=dict)
    # revisions whose owner has been told that nobody reads them
    outlived: set[int] = dataclasses.field(default_factory=set)

    def is_of(self, unit: Unit) -> bool:
        """Whether the unit or its application has made it."""
        return self.owner in (unit.name, unit.app.name)

    def is_readable_by(self, unit: Unit) -> bool:
        """Whether the unit is an owner, or somebody to whom it was granted."""
        granted = {name for _, name in self.grants}
        return self.is_of(unit) or bool(granted & {unit.name, unit.app.name})

    def revise(self, content: dict[str, str]) -> None:
        """Add a revision."""
        self.latest += 1
        self.revisions[self.latest] = content
