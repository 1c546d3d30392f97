"""Who leaves: a project, or this unit. Juju breaks the unit's relations in both cases."""

import ops


class Departure(ops.Object):
    """Remembers what the events of departure say, for the hooks that come after them."""

    _stored = ops.StoredState()

    def __init__(self, charm: ops.CharmBase, endpoint: str) -> None:
        super().__init__(charm, "departure")
        self._unit = charm.unit
        self._stored.set_default(is_of_this_unit=False, has_ended=False)
        self.app: str | None = None
        """The application whose relation breaks in this hook."""
        for name in charm.meta.relations:
            self.framework.observe(charm.on[name].relation_departed, self._on_departed)
        self.framework.observe(charm.on[endpoint].relation_broken, self._on_broken)
        self.framework.observe(charm.on.stop, self._on_end)
        self.framework.observe(charm.on.remove, self._on_end)

    @property
    def is_of_this_unit(self) -> bool:
        """Whether this unit goes: what breaks from now on may live on for the others.

        That never ends: Juju gives no later unit the same name.
        """
        return bool(self._stored.is_of_this_unit)

    @property
    def has_ended(self) -> bool:
        """Whether Juju has told this unit to stop: an event in between starts nothing again."""
        return bool(self._stored.has_ended)

    def _on_end(self, _: ops.EventBase) -> None:
        self._stored.has_ended = True

    def _on_departed(self, event: ops.RelationDepartedEvent) -> None:
        if event.departing_unit == self._unit:
            self._stored.is_of_this_unit = True

    def _on_broken(self, event: ops.RelationBrokenEvent) -> None:
        self.app = event.app.name
