"""What the engine asks of the proxy: publish projects, send traffic to a container, drain."""

import contextlib
import dataclasses
import logging
import threading
from collections.abc import Collection, Mapping, Sequence

from build_hook import errors, project, settings
from build_hook.proxy import certificates, places, planning, ports, runtime, workers

_log = logging.getLogger(__name__)
_States = Sequence[runtime.ServerState]
_OUTDATED = "what HAProxy was started with is not what it should do"


class Front:
    """Owns HAProxy's configuration; one lock, since it is one file."""

    def __init__(self, with_settings: settings.Settings) -> None:
        self._settings = with_settings
        self._runtime = runtime.Runtime(with_settings.run)
        self._workers = workers.Workers(self._runtime)
        self._ports = ports.Ports(with_settings, self._runtime)
        self._planner = planning.Planner(certificates.Certificates(with_settings), with_settings)
        self._places: dict[str, places.Place] = {}
        self._loaded: object = None
        self._process: int | None = None
        self._lock = threading.RLock()

    def publish(
        self, projects: Sequence[project.Project], live: Mapping[str, places.Target] | None = None
    ) -> None:
        """Listen on the ports of these projects, and of no others.

        A project that serves keeps the ports that it was deployed with until its next deploy;
        their host names and certificates are those of today. A port that a stranger holds is
        left out, see ``require``.

        Raises:
            ProxyError: if the proxy does not do it yet; ``look`` tries again.
        """
        with self._lock:
            now = self._servers() if live else ()
            self._places = {
                p.name: self._place(p, (live or {}).get(p.name), now) for p in projects
            }
            self._planner.know(projects)
            self._planner.refresh(self._places.values())
            self._planner.strangers = self._ports.strangers(self._wanted())
            is_first = self._loaded is None
            try:
                self._apply()
            except errors.ProxyError:
                self._loaded = _OUTDATED  # look tries again
                raise
            if is_first:
                self._settle(now)

    def require(self, of: project.Project) -> None:
        """Make sure that a project's ports are ours, or can be.

        Raises:
            PortTakenError: if a stranger or another project holds one.
            CertificateError: if a port has no certificate.
        """
        with self._lock:
            self._planner.refresh(self._places.values())
            asked = {number for port in of.stream_ports for number in port.listens_on}
            held = self._ports.strangers(asked)
            if held != self._planner.strangers & asked:
                self._planner.strangers = self._planner.strangers - asked | held
                self._apply()
            self._planner.require(of, self._places.values())

    def look(self) -> None:
        """Notice a certificate that was renewed, a port that was lost or is free again."""
        with self._lock, contextlib.suppress(errors.ProxyError):
            self._look()

    @property
    def problems(self) -> dict[str, str]:
        """Projects that are not published as they should be, and why."""
        with self._lock:
            return self._planner.problems(self._places.values())

    @property
    def problem_of_web(self) -> str | None:
        """What is wrong with web's own port, or soon will be; None if it has none."""
        with self._lock:
            return self._planner.problem_of_web

    def switch(self, target: places.Target) -> None:
        """Send all new traffic of a project to another address, and make sure that it goes.

        The file is written first: a proxy that is killed in between comes back with the new
        version, which has proved itself.

        Raises:
            ProxyError: if the proxy does not confirm; what served before is served on.
        """
        with self._lock:
            name = target.project.name
            old = self._places.get(name) or places.Place(target.project)
            new = self._next_place(old, target)
            self._places[name] = new
            try:
                self._apply(new)
            except errors.ProxyError:
                self._places[name] = old
                with contextlib.suppress(errors.ProxyError):
                    self._apply(old)
                raise

    def move(self, name: str, old: tuple[str, ...], new: tuple[str, ...]) -> None:
        """Follow the version that serves a project from its old addresses to its new ones.

        Nothing happens if the traffic goes elsewhere by now: a switch was faster.

        Raises:
            ProxyError: if the proxy does not confirm.
        """
        with self._lock:
            place = self._places.get(name)
            if place is not None and place.addresses == old:
                self.switch(places.Target(place.project, new))

    def hold(self, name: str, seconds: float) -> None:
        """Let new requests of a project wait, not fail, until ``go``; at most that long.

        Raises:
            ProxyError: if the proxy does not do it.
        """
        with self._lock:
            before = self._places.get(name)
            if before is None:
                return
            held = dataclasses.replace(before, holds=True, hold=places.Hold.lasting(seconds))
            self._places[name] = held
            try:
                self._apply()
                self._workers.hold(held)
            except errors.ProxyError:
                self._places[name] = before
                with contextlib.suppress(errors.ProxyError):
                    self._apply()
                raise

    def go(self, name: str) -> None:
        """Let those that wait go on."""
        with self._lock, contextlib.suppress(errors.ProxyError):
            if (place := self._places.get(name)) is not None:
                self._workers.go(place)
                self._places[name] = dataclasses.replace(place, hold=None)
                self._apply()

    def sessions(self, name: str, addresses: Collection[str]) -> int:
        """Sessions of a project that are open on containers.

        Raises:
            ProxyError: if the proxy does not answer.
        """
        with self._lock:
            return self._workers.sessions(name, addresses)

    def close(self, name: str, addresses: Collection[str]) -> None:
        """End what is left on containers that take no new traffic."""
        with self._lock:
            self._workers.close(name, addresses)

    def addresses(self, name: str) -> tuple[str, ...]:
        """Where a project's traffic goes now; empty if nowhere."""
        with self._lock:
            place = self._places.get(name)
            return place.addresses if place else ()

    def servers(self, name: str) -> frozenset[tuple[str, str]]:
        """The lines that serve a project now, as the proxy's counters name them."""
        with self._lock:
            place = self._places.get(name)
            return place.servers if place else frozenset()

    # Private

    def _place(
        self, registered: project.Project, live: places.Target | None, now: _States
    ) -> places.Place:
        known = self._places.get(registered.name)
        if known and known.serves:
            return known
        if live:
            return places.Place(live.project, places.slot_of(live, now) or 0, live.addresses)
        return places.Place(registered)

    def _next_place(self, old: places.Place, target: places.Target) -> places.Place:
        stays = set(old.addresses) & set(target.addresses) - {""}
        slot = old.slot if stays and old.slot is not None else self._workers.free_slot(old)
        held = old.hold  # who waits goes on waiting, and where he is that has to be possible
        return places.Place(target.project, slot, target.addresses, held is not None, held)

    def _wanted(self) -> set[int]:
        return self._planner.ports(self._places.values())

    def _look(self) -> None:
        if self._planner.refresh(self._places.values()):
            self._loaded = _OUTDATED
        process = self._runtime.process_id()
        if self._planner.strangers or process != self._process or self._loaded == _OUTDATED:
            wanted = self._wanted()
            strangers = self._ports.strangers(wanted)
            if (
                strangers != self._planner.strangers
                or wanted - strangers - self._runtime.published_ports()
            ):
                self._planner.strangers, self._loaded = strangers, _OUTDATED
        self._process = process
        if self._loaded == _OUTDATED:
            self._apply()

    def _apply(self, switched: places.Place | None = None) -> None:
        """Make HAProxy do as the places say: by its runtime API, or by a reload.

        A reload is needed when frontends or backends come, go or change; it takes over the
        whole file.
        """
        plan = self._planner.plan(self._places.values())
        needs_reload = planning.write(self._settings, plan) or self._loaded is not None
        if needs_reload and plan.shape != self._loaded and self._runtime.is_up():
            self._loaded = _OUTDATED
            self._runtime.reload()
        self._loaded = plan.shape
        planning.forget(self._settings, plan)
        if switched is not None and switched.listeners:
            self._workers.switch(switched)

    def _settle(self, before: _States) -> None:
        """After a start: HAProxy may have been left between its file and what it was told."""
        for place in self._places.values() if before else ():
            if place.serves and not places.is_confirmed(place, before):
                try:
                    self._workers.switch(place)
                except errors.ProxyError as error:
                    _log.warning("%s", error)
        self._workers.go()

    def _servers(self) -> _States:
        """All server lines, asked for once for all projects; none where the proxy is down."""
        with contextlib.suppress(errors.ProxyError):
            return self._runtime.servers()
        return ()
