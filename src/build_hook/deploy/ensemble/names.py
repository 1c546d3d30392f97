"""The names by which services find each other: each belongs to the version that serves."""

from build_hook import labels
from build_hook.deploy import containers, networks


class Names:
    """Moves names between containers; who looks one up finds exactly one container."""

    def __init__(self, engine: containers.Containers, instance: str) -> None:
        self._containers = engine
        self._instance = instance

    def give(self, to: containers.Container) -> None:
        """Let a service's name lead to this container, and to no other.

        The new one takes the free side first, so that at every moment somebody answers.
        """
        sides = self._sides(to.unit)
        holders = [c for c in self._containers.all(to.unit) if c.id != to.id and c.name in sides]
        for odd in holders[1:]:  # left by a crash
            self._withdraw(odd)
        taken = {holder.name for holder in holders[:1]}
        if self._name_now(to) not in sides:
            self._containers.rename(to.id, next(name for name in sides if name not in taken))
        for holder in holders[:1]:
            self._withdraw(holder)

    # Private

    def _withdraw(self, of: containers.Container) -> None:
        name = labels.container_name(self._instance, of.unit, of.build)
        self._containers.rename(of.id, name)

    def _name_now(self, of: containers.Container) -> str:
        found = self._containers.inspect(of.id)
        return found.name if found else of.name

    def _sides(self, unit: str) -> list[str]:
        return [labels.live_name(self._instance, unit, side) for side in networks.SIDES]
