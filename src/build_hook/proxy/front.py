"""What the engine asks of the proxy: publish projects, send traffic to a container, drain."""

import contextlib
import dataclasses
import threading
import time
from collections.abc import Mapping, Sequence

from build_hook import errors, project, settings
from build_hook.proxy import places, ports, rendering, runtime

_COME_BACK = 10.0
_COME_UP = 3.0


class Front:
    """Owns HAProxy's configuration; one lock, since it is one file."""

    def __init__(self, with_settings: settings.Settings) -> None:
        self._settings = with_settings
        self._runtime = runtime.Runtime(with_settings.run)
        self._places: dict[str, places.Place] = {}
        self._refused: dict[str, str] = {}
        self._loaded: object = None
        self._lock = threading.RLock()

    def publish(
        self, projects: Sequence[project.Project], live: Mapping[str, places.Target] | None = None
    ) -> None:
        """Listen on the ports of these projects, and of no others.

        A project that serves keeps the ports that it was deployed with until its next deploy.
        A port that a stranger holds leaves its project out, see ``require``.
        """
        with self._lock:
            self._places = {p.name: self._place(p, (live or {}).get(p.name)) for p in projects}
            self._refused = self._taken()
            is_first = self._loaded is None
            self._apply()
            for name in self._places if is_first else ():
                self.go(name)  # a crash may have left some waiting

    def require(self, of: project.Project) -> None:
        """Make sure that a project's ports are ours, or can be.

        Raises:
            PortTakenError: if a stranger holds one.
        """
        with self._lock:
            problem = self._problem(of, self._own_ports())
            if problem:
                raise errors.PortTakenError(
                    problem,
                    "Stop what uses it, or publish another port; then: build-hook deploy",
                )
            if of.name in self._refused:
                self._refused = self._taken()
                self._apply()

    @property
    def refused(self) -> dict[str, str]:
        """Projects that are left out, and why."""
        with self._lock:
            return dict(self._refused)

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
            self._refused.pop(name, None)
            try:
                self._apply(old, new)
            except errors.ProxyError:
                self._places[name] = old
                with contextlib.suppress(errors.ProxyError):
                    self._apply(new, old)
                raise

    def move(self, name: str, old: str, new: str) -> None:
        """Follow the version that serves a project from its old address to its new one.

        Nothing happens if the traffic goes elsewhere by now: a switch was faster.

        Raises:
            ProxyError: if the proxy does not confirm.
        """
        with self._lock:
            place = self._places.get(name)
            if place is not None and place.address == old:
                self.switch(places.Target(place.project, new))

    def hold(self, name: str, seconds: float) -> None:
        """Let new requests of a project wait, not fail, until ``go``; at most that long.

        Raises:
            ProxyError: if the proxy does not do it.
        """
        with self._lock:
            self._places[name] = dataclasses.replace(self._places[name], holds=True)
            self._apply()
            self._runtime.command(*places.hold_commands(self._places[name], seconds))

    def go(self, name: str) -> None:
        """Let those that wait go on."""
        with self._lock, contextlib.suppress(errors.ProxyError):
            self._runtime.command(*places.go_commands(self._places[name]))

    def sessions(self, of: project.Project, *, everywhere: bool = False) -> int:
        """Sessions that are still open on what takes no new traffic, or on everything."""
        with self._lock:
            place = self._places.get(of.name) or places.Place(of)
            counters = self._runtime.statistics()
            elsewhere = self._runtime.old_workers()
        count = places.sessions(place, counters)
        return elsewhere + sum(n for slot, n in count.items() if everywhere or slot != place.slot)

    def retire(self, of: project.Project) -> None:
        """Close what is left on the slots that take no new traffic."""
        with self._lock, contextlib.suppress(errors.ProxyError):
            place = self._places.get(of.name) or places.Place(of)
            self._runtime.command(*places.retire_commands(place))

    def address(self, name: str) -> str | None:
        """Where a project's traffic goes now."""
        with self._lock:
            place = self._places.get(name)
            return place.address if place else None

    # Private

    def _place(self, registered: project.Project, live: places.Target | None) -> places.Place:
        known = self._places.get(registered.name)
        if known and known.address:
            return known
        if live:
            return places.Place(live.project, self._slot_of(live) or 0, live.address)
        return places.Place(registered)

    def _next_place(self, old: places.Place, target: places.Target) -> places.Place:
        if old.address == target.address and old.slot is not None:
            return places.Place(target.project, old.slot, target.address)
        return places.Place(target.project, self._free_slot(old), target.address)

    def _apply(self, old: places.Place | None = None, new: places.Place | None = None) -> None:
        """Make HAProxy do as the places say: by its runtime API, or by a reload.

        A reload is needed when listeners come, go or change; it takes over the whole file.
        """
        listeners = [
            listener
            for place in self._places.values()
            if place.project.name not in self._refused
            for listener in place.listeners
        ]
        wanted = {(item.name, item.mode, item.target, item.holds) for item in listeners}
        text = rendering.render(self._settings, listeners)
        written = rendering.write(self._settings.run / "haproxy.cfg", text)
        needs_reload = wanted != self._loaded and (self._loaded is not None or written)
        if needs_reload and self._runtime.is_up():
            self._runtime.reload()
        self._loaded = wanted
        if new is not None:
            self._until_confirmed(old, new)

    def _until_confirmed(self, old: places.Place | None, new: places.Place) -> None:
        """Switch in one line; where the proxy is down, wait for it to come back by itself."""
        deadline = time.monotonic() + _COME_BACK
        while True:
            try:
                self._runtime.command(*places.switch_commands(old, new))
                if places.is_confirmed(new, self._runtime.servers()):
                    return
            except errors.ProxyError:
                if time.monotonic() > deadline:
                    raise
            if time.monotonic() > deadline:
                raise errors.ProxyError(
                    f"The proxy did not confirm the switch of {new.project.name}",
                    "The version that served before is still served",
                )
            time.sleep(0.05)

    def _taken(self) -> dict[str, str]:
        """Projects with a port that a stranger holds, and what to say of it.

        A proxy that is starting holds its ports a moment before it says so.
        """
        deadline = time.monotonic() + _COME_UP
        while True:
            is_up = self._runtime.is_up()
            ours = self._own_ports()
            found = {name: self._problem(p.project, ours) for name, p in self._places.items()}
            problems = {name: problem for name, problem in found.items() if problem}
            if not problems or is_up or time.monotonic() > deadline:
                return problems
            time.sleep(0.1)

    def _problem(self, of: project.Project, ours: set[int]) -> str | None:
        for port in of.ports:
            if port.published in ours:
                continue
            if not ports.is_free(self._settings.publish_address, port.published):
                return f"Port {port.published} is used by another program"
        return None

    def _own_ports(self) -> set[int]:
        try:
            backends = {state.backend for state in self._runtime.servers()}
        except errors.ProxyError:
            return set()
        return {int(name.rpartition("-")[2]) for name in backends if "-" in name}

    def _slot_of(self, target: places.Target) -> int | None:
        """The slot that already sends traffic to a container, after a restart of ours."""
        names = {item.name for item in rendering.listeners(target.project, None, None)}
        with contextlib.suppress(errors.ProxyError):
            for state in self._runtime.servers():
                if state.backend in names and state.address == target.address and state.is_ready:
                    return int(state.name.removeprefix("s"))
        return None

    def _free_slot(self, place: places.Place) -> int:
        """A slot without sessions; the one after the live one where all have some."""
        busy = {place.slot}
        with contextlib.suppress(errors.ProxyError):
            count = places.sessions(place, self._runtime.statistics())
            busy |= {slot for slot, open_now in count.items() if open_now}
        free = [index for index in range(rendering.SLOTS) if index not in busy]
        return free[0] if free else ((place.slot or 0) + 1) % rendering.SLOTS
