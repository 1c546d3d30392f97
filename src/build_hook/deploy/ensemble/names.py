"""The names by which services find each other: each belongs to the version that serves."""

from build_hook import labels
from build_hook.deploy import containers, networks


class Names:
    """Moves names between containers; who looks one up finds exactly one container."""

    def __init__(self, engine: containers.Containers, instance: str) -> None:
        self._containers = engine
        self._instance = instance

    def give(self, to: containers.Container) -> None:
        """Let a service's name lead to this version, and to no other.

        Of its replicas one has the name. The new one takes the free side first, so that at every
        moment somebody answers.
        """
        sides = self._sides(to.unit)
        every = [one for version in self._containers.all(to.unit) for one in version.every]
        heir = _heir([one for one in every if one.build == to.build], sides) or to
        holders = [one for one in every if one.name in sides and one.id != heir.id]
        for odd in holders[1:]:  # left by a crash
            self._withdraw(odd)
        taken = {holder.name for holder in holders[:1]}
        if heir.name not in sides:
            self._containers.rename(heir.id, next(name for name in sides if name not in taken))
        for holder in holders[:1]:
            self._withdraw(holder)

    def mend(self, version: containers.Container) -> None:
        """Pass a service's name on, if no replica that runs has it and one of these could."""
        sides = self._sides(version.unit)
        there = [one for found in self._containers.all(version.unit) for one in found.every]
        is_found = any(one.name in sides and one.is_running for one in there)
        if not is_found and any(one.is_running for one in version.every):
            self.give(version)

    # Private

    def _withdraw(self, of: containers.Container) -> None:
        name = labels.container_name(self._instance, of.unit, of.build, of.replica)
        self._containers.rename(of.id, name)

    def _sides(self, unit: str) -> list[str]:
        return [labels.live_name(self._instance, unit, side) for side in networks.SIDES]


def _heir(replicas: list[containers.Container], sides: list[str]) -> containers.Container | None:
    """Who is to have the name: the replica that has it already, the first that runs otherwise."""
    running = [one for one in replicas if one.is_running]
    return next((one for one in running if one.name in sides), next(iter(running), None))
