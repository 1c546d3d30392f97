"""A compose project after a crash: its build is finished, or taken back as a whole."""

from collections.abc import Mapping

from build_hook import part, project, settings
from build_hook.deploy import containers, job
from build_hook.deploy.ensemble import names
from build_hook.store import builds, parts

Boxes = Mapping[tuple[str, int], containers.Container]


class Rescue:
    """What recovery has to know of services."""

    def __init__(
        self,
        with_settings: settings.Settings,
        store: builds.Builds,
        engine: containers.Containers,
    ) -> None:
        self._store = store
        self._containers = engine
        self._parts = parts.Parts(with_settings.database)
        self._names = names.Names(engine, with_settings.instance)

    def has(self, build: builds.Build) -> bool:
        """Whether a build is one of several containers, and came so far as to have them."""
        return bool(self._parts.of(build.id))

    def serves_whole(self, build: builds.Build) -> bool:
        """Whether all services of a build had taken over."""
        row = self._store.serving().get(build.project)
        return row is not None and row.build == build.id

    def take_back(self, build: builds.Build, boxes: Boxes) -> None:
        """Let the versions before serve again; their containers are started when adopted.

        The new ones are swept once traffic has left them; but two that share a volume never run
        at once.
        """
        for unit, row in self._store.serving().items():
            if part.root(unit) != build.project or unit == build.project:
                continue
            if row.build == build.id and row.previous is not None:
                self._store.set_serving(unit, row.previous, None)
            elif row.build == build.id:
                self._store.forget_serving(unit)
        for piece in self._parts.of(build.id):
            left = boxes.get((piece.part.name, build.id))
            if left is not None and piece.part.strategy == "recreate":
                self._containers.stop(left.id, piece.part.stop_grace_period)

    def deployed(
        self, unit: str, serving: Mapping[str, builds.Serving], registered: project.Project
    ) -> project.Project | None:
        """What one of those that serve was deployed with; None without a container of its own.

        Of a service whose settings damage has taken: as the registry publishes it.
        """
        whole = serving.get(part.root(unit))
        pieces = self._parts.of(whole.build) if whole else ()
        if unit != registered.name:
            known = (*(piece.part for piece in pieces), *part.units([registered]))
            return next((one for one in known if one.name == unit), None)
        if pieces:
            return None
        return job.deployed_with(self._store.get(serving[unit].build), registered)

    def whole_build(self, unit: str, build: int) -> int:
        """The build of the whole project that a unit's container belongs to now."""
        whole = self._store.serving().get(part.root(unit))
        return whole.build if whole else build

    def name(self, found: containers.Container) -> None:
        """Make sure that the others find a service by its name."""
        if found.service:
            self._names.give(found)
