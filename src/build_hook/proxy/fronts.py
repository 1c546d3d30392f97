"""Everything that is published: TCP ports by HAProxy, UDP ports by the kernel, as one front."""

import logging
from collections.abc import Collection, Mapping, Sequence

from build_hook import errors, part, project, settings
from build_hook.proxy import datagrams, front, places

_log = logging.getLogger(__name__)


class Fronts(front.Front):
    """A front that also passes datagrams on; a project moves on both or on neither."""

    def __init__(self, with_settings: settings.Settings) -> None:
        super().__init__(with_settings)
        self._datagrams = datagrams.Datagrams(with_settings)

    def publish(
        self, projects: Sequence[project.Project], live: Mapping[str, places.Target] | None = None
    ) -> None:
        """Listen on the ports of these projects, and of no others."""
        units = part.units(projects)
        with self._lock:
            super().publish(units, live)
            self._datagrams.publish(units, live or {})

    def require(self, of: project.Project) -> None:
        """Make sure that a project's ports are ours, or can be.

        Raises:
            PortTakenError: if a stranger holds one.
            DatagramsError: if this machine lacks what passes datagrams on.
        """
        for unit in part.units([of]):
            super().require(unit)
            self._datagrams.require(unit)

    @property
    def problems(self) -> dict[str, str]:
        """Projects that are not published as they should be, and why."""
        found = {**self._datagrams.refused, **super().problems}
        return {part.root(unit): why for unit, why in found.items()}

    def switch(self, target: places.Target) -> None:
        """Send all new traffic of a project to another address, and make sure that it goes.

        Raises:
            ProxyError: if that cannot be confirmed; what served before is served on.
        """
        with self._lock:
            before = self._datagrams.switch(target)
            try:
                super().switch(target)
            except errors.ProxyError:
                self._datagrams.go_back(target.project.name, before)
                raise

    def move(self, name: str, old: tuple[str, ...], new: tuple[str, ...]) -> None:
        """Follow the version that serves a project from its old addresses to its new ones.

        Raises:
            ProxyError: if the proxy does not confirm.
        """
        with self._lock:
            super().move(name, old, new)
            if self.addresses(name) == new:
                stay = set(old) & set(new) - {""}
                for address in set(old) - set(new) - {""}:
                    self._datagrams.close(name, address, whole=not stay)

    def close(self, name: str, addresses: Collection[str]) -> None:
        """End what is left on containers that take no new traffic."""
        super().close(name, addresses)
        for number, address in enumerate(filter(None, addresses)):
            self._datagrams.close(name, address, whole=number == 0)

    def clear(self, name: str) -> None:
        """Send nobody to a project any more that served; its ports answer 503."""
        with self._lock:
            old = self._places.get(name)
            if old is not None and old.serves:
                self._places[name] = places.Place(old.project)
                self._apply(self._places[name])
            self._datagrams.go_back(name, None)

    def look(self) -> None:
        """Notice what was renewed, lost or taken away by somebody else."""
        super().look()
        if self._datagrams.look():
            _log.warning("somebody emptied the packet filter; UDP ports are back in it")
