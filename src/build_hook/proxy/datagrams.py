"""Published UDP ports: the kernel passes what comes there on to the container that serves.

A table of our own in the packet filter says where, in one map that is replaced in one step
(``netfilter``). It outlives this process and needs none.
"""

import contextlib
import threading
from collections.abc import Mapping, Sequence

from build_hook import errors, project, settings
from build_hook.proxy import kernel, netfilter, places, ports

# How long a version that was left is kept from beginning something, beside its own times.
_LATE = 60
_ZONES = 65_535


class Datagrams:
    """The UDP ports of one instance; every change is whole or not at all."""

    def __init__(self, with_settings: settings.Settings) -> None:
        self._settings = with_settings
        self._kernel = kernel.Kernel(with_settings)
        self._held = ports.Held(with_settings.publish_address)
        self._projects: dict[str, project.Project] = {}
        self._live: dict[str, places.Target] = {}
        self._zones: dict[int, int] = {}
        self._newest = 0
        self._lock = threading.RLock()
        self.refused: dict[str, str] = {}

    def publish(
        self, projects: Sequence[project.Project], live: Mapping[str, places.Target]
    ) -> None:
        """Have the UDP ports of these projects, and of no others.

        As with TCP, one that serves keeps the ports that it was deployed with.
        """
        with self._lock:
            names = {p.name for p in projects}
            known = {**live, **self._live}
            self._live = {name: target for name, target in known.items() if name in names}
            targets = self._live
            self._projects = {
                p.name: targets[p.name].project if p.name in targets else p for p in projects
            }
            self._held.keep(port for p in self._projects.values() for port in _numbers(p))
            self.refused = {p.name: x for p in self._projects.values() if (x := self._problem(p))}
            with contextlib.suppress(errors.DatagramsError):  # it is the problem of each already
                self._zones = {**self._kernel.zones(), **self._zones}
                for target in self._live.values():
                    self._choose_zones(target.project, anew=False)
                self._apply()

    def require(self, of: project.Project) -> None:
        """Make sure that a project's UDP ports are ours, or can be.

        Raises:
            PortTakenError: if a stranger holds one.
            DatagramsError: if this machine lacks what passes datagrams on.
        """
        with self._lock:
            if not of.datagram_ports:
                return
            kernel.check(self._settings)
            if problem := self._taken(of):
                raise errors.PortTakenError(
                    problem,
                    "Stop what uses it, or publish another port; then: build-hook deploy",
                )
            self.refused.pop(of.name, None)

    def switch(self, target: places.Target) -> places.Target | None:
        """Send all datagrams to another address; returns where they went before.

        Flows that are under way stay until ``close`` where the project has a session grace, and
        with the replicas that stay where only others come or go.

        Raises:
            DatagramsError: if the kernel does not take it; nothing has changed then.
        """
        name = target.project.name
        with self._lock:
            before, zones = self._live.get(name), dict(self._zones)
            stays = before is not None and before.shares(target)
            self._live[name] = target
            if not target.project.datagram_ports and not (
                before and before.project.datagram_ports
            ):
                return before
            self._choose_zones(target.project, anew=not (stays or target.project.session_grace))
            try:
                self._apply()
            except errors.DatagramsError:
                self._zones = zones
                self._set(name, before)
                raise
            self._projects[name] = target.project
            return before

    def go_back(self, name: str, before: places.Target | None) -> None:
        """Undo a switch.

        Raises:
            DatagramsError: if the kernel does not take it.
        """
        with self._lock:
            if before is None:
                self._set(name, None)
                self._apply()
            else:
                self.switch(before)

    def close(self, name: str, address: str, *, whole: bool = True) -> None:
        """Take all flows from a container that is left to those that serve.

        ``whole`` if its version is left as a whole, and no flow has to stay where it is.
        """
        with self._lock:
            of = self._projects.get(name)
            if of is None or not of.datagram_ports:
                return
            self._choose_zones(of, anew=whole and bool(of.session_grace))
            with contextlib.suppress(errors.DatagramsError):
                self._apply(_left(of, address))
            for port in of.datagram_ports:
                kernel.forget(address, port.target)
                if not whole:  # the others' flows stay: no zone tells them apart
                    kernel.release(address, port.target)

    def look(self) -> bool:
        """Put back what somebody else has taken out of the kernel; whether there was such."""
        with self._lock:
            is_changed = self._kernel.is_changed()
            if is_changed:
                self._apply()
            return is_changed

    # Private

    def _set(self, name: str, target: places.Target | None) -> None:
        if target is None:
            self._live.pop(name, None)
        else:
            self._live[name] = target

    def _apply(self, left: Sequence[netfilter.Left] = ()) -> None:
        deployed = {name: target.project for name, target in self._live.items()}
        wanted = {name: of for name, of in self._projects.items() if name not in self.refused}
        published = {port for of in {**wanted, **deployed}.values() for port in _numbers(of)}
        if not published:
            self._kernel.withdraw()
            return
        ways = [
            netfilter.Way(port.published, address, port.target, self._zones[port.published])
            for target in self._live.values()
            for port in target.project.datagram_ports
            for address in filter(None, target.addresses)
        ]
        self._kernel.apply(published, ways, left)

    def _choose_zones(self, of: project.Project, *, anew: bool) -> None:
        """Give each port a zone that no flow is remembered in; see ``netfilter``."""
        for port in _numbers(of):
            if anew or port not in self._zones:
                newest = self._newest or max(self._zones.values(), default=0)
                self._newest = newest % _ZONES + 1
                self._zones[port] = self._newest

    def _problem(self, of: project.Project) -> str | None:
        if not of.datagram_ports:
            return None
        try:
            kernel.check(self._settings)
        except errors.DatagramsError as error:
            return str(error)
        return self._taken(of)

    def _taken(self, of: project.Project) -> str | None:
        for port in _numbers(of):
            if not self._held.take(port):
                return f"UDP port {port} is used by another program"
        return None


def _numbers(of: project.Project) -> list[int]:
    return [port.published for port in of.datagram_ports]


def _left(of: project.Project, address: str) -> list[netfilter.Left]:
    """Where a version is left, until it is stopped at the latest, by its own times."""
    seconds = round(of.drain + of.watch + of.stop_grace_period) + _LATE
    return [netfilter.Left(address, port.target, seconds) for port in of.datagram_ports]
