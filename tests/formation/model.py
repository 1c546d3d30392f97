"""A model: what an operator does to it, and the events that follow."""

import pathlib
import shutil
import uuid
from collections.abc import Callable
from typing import Any

from tests.formation import agent, charmfile, hook_times, machines, uniter, vault
from tests.formation.charmfile import RefusedError
from tests.formation.entities import Application, Event, Relation, Secret, Task, Unit

MOST_HOOKS = 1000  # more than any formation here needs: events would go in circles


HookFailedError = uniter.HookFailedError


class Model:
    """Applications on machines; ``settle`` runs their charms until nothing is left to tell."""

    def __init__(
        self, folder: pathlib.Path, make: Callable[[str, pathlib.Path], machines.Machine]
    ) -> None:
        self.uuid = str(uuid.uuid4())
        self.apps: dict[str, Application] = {}
        self.machines: dict[str, machines.Machine] = {}
        self.relations: dict[int, Relation] = {}
        self.secrets: dict[str, Secret] = {}
        self.log: list[tuple[str, str, str]] = []
        self.trace: list[tuple[str, str]] = []
        self.times: list[hook_times.HookTime] = []
        self.vault = vault.Vault(self)
        self._folder, self._make, self._numbers, self._storages = folder, make, 0, 0
        self.agent = agent.Agent(folder / "agent", self)
        self._uniter = uniter.Uniter(self)

    # --- what an operator does

    def deploy(
        self, archive: pathlib.Path, name: str, config: dict[str, Any] | None = None,
        to: tuple[str, ...] = (),
    ) -> Application:  # fmt: skip
        """Deploy a charm under a name, one unit per placement."""
        charm = charmfile.unpack(archive, self._folder / "charms" / name)
        app = Application(name, charm, charm.defaults())
        self._set_options(app, config or {})
        if charm.is_subordinate and to:
            raise RefusedError("subordinate application must be deployed without units")
        self.apps[name] = app
        for endpoint in charm.endpoints.values():
            if endpoint.role == "peers":
                self._relate((name, endpoint.name), is_container=False)
        for place in to:
            self.add_unit(name, place)
        return app

    def add_unit(self, name: str, to: str, *, storage: str | None = None) -> Unit:
        """Add a unit on a machine, or on that of another unit; with a storage of that kind."""
        machine = self.unit(to).machine if "/" in to else self._machine(to)
        return self._new_unit(self.apps[name], machine, storage=storage)

    def integrate(self, one: str, other: str) -> Relation:
        """Relate two applications, as ``app`` or ``app:endpoint``."""
        a, b = self._match(one, other)
        ends = [self.apps[name].charm.endpoints[endpoint] for name, endpoint in (a, b)]
        for (name, endpoint), end in zip((a, b), ends, strict=True):
            count = sum((name, endpoint) in r.ends for r in self.relations.values())
            if end.limit is not None and count >= end.limit:
                raise RefusedError(f"{name}:{endpoint} would exceed its maximum relation limit")
        is_container = "container" in {end.scope for end in ends}
        if is_container and not any(self.apps[n].charm.is_subordinate for n, _ in (a, b)):
            raise RefusedError("container scoped relation requires a subordinate application")
        return self._relate(a, b, is_container=is_container)

    def configure(self, name: str, /, **options: Any) -> None:
        """Set options; None goes back to the default. Underscores stand for dashes."""
        app = self.apps[name]
        self._set_options(app, {key.replace("_", "-"): v for key, v in options.items()})
        for unit in app.units.values():
            unit.tell(Event("config-changed"))

    def refresh(self, name: str, archive: pathlib.Path) -> None:
        """Replace an application's charm."""
        app = self.apps[name]
        shutil.rmtree(app.charm.folder)
        app.charm = charmfile.unpack(archive, app.charm.folder)
        app.config = {**app.charm.defaults(), **app.config}
        for unit in app.units.values():
            unit.machine.put(unit.name, app.charm.folder)
            unit.tell(Event("upgrade-charm"), Event("config-changed"))

    def run(self, unit: str, action: str, **parameters: Any) -> Task:
        """Run an action; underscores stand for dashes."""
        target = self.unit(unit)
        given = {key.replace("_", "-"): value for key, value in parameters.items()}
        checked = target.app.charm.parameters(action, given)
        task = Task(uuid.uuid4().hex[:8], action, checked)
        self._uniter.dispatch(target, Event(action, action=task))
        return task

    def remove_relation(self, one: str, other: str) -> None:
        """Take a relation away; its units depart first."""
        ends = set(self._match(one, other))
        relation = next(r for r in self.relations.values() if set(r.ends) == ends)
        for name, _ in relation.ends:
            for unit in self.apps[name].units.values():
                self._leave(unit, relation)
        self.settle()
        del self.relations[relation.id]
        self.vault.end_grants(relation.id)
        if relation.is_container:
            for unit in [u for a in self.apps.values() for u in a.units.values()]:
                if unit.principal is not None and relation.has(unit.app.name):
                    self.remove_unit(unit.name)

    def remove_unit(self, name: str) -> None:
        """Remove a unit: it departs everywhere, stops and is gone; if it led, another does then.

        A unit that goes is told that its relations are broken, also where other units of its
        application stay in them: https://bugs.launchpad.net/juju/+bug/1979811.
        """
        unit = self.unit(name)
        unit.is_leaving = True
        unit.queue += [Event("storage-detaching", storage=storage) for storage in unit.storages]
        for below in [u for a in self.apps.values() for u in a.units.values()]:
            if below.principal is unit:
                self.remove_unit(below.name)
        for relation in list(self.relations.values()):
            if relation.has(unit.app.name):
                for other in self.counterparts(relation, unit):
                    if name in relation.seen[other.name]:
                        departed = Event("relation-departed", relation.id, name, name)
                        other.tell(departed)
                self._leave(unit, relation)
        unit.queue += [Event("stop"), Event("remove")]
        self.settle()
        unit.machine.forget(name)
        del unit.app.units[name]
        self.vault.end_of(unit)
        if unit.app.leader == name:
            self._elect(unit.app)

    def update_status(self) -> None:
        """The event that comes every five minutes, to all."""
        for app in self.apps.values():
            for unit in app.units.values():
                unit.tell(Event("update-status"))

    def tell_again(self) -> int:
        """Tell every unit all that it was told before and may be told again; how much that is."""
        for app in self.apps.values():
            for unit in app.units.values():
                unit.tell(*self._repeatable(unit))
        return sum(len(unit.queue) for app in self.apps.values() for unit in app.units.values())

    def settle(self) -> int:
        """Run charms until nothing is left to tell; how often one was run.

        Raises:
            HookFailedError: if one fails, as a person would see it in the status.

        """
        ran = 0
        while busy := self._busy():
            for unit in busy:
                event = unit.queue[0]
                if event.secret is None or event.secret in self.secrets:  # it may be gone
                    self._uniter.dispatch(unit, event)
                    ran += 1
                unit.queue.popleft()
                if ran > MOST_HOOKS:
                    raise HookFailedError("the model does not settle")
        return ran

    def _busy(self) -> list[Unit]:
        """Units that have to be told something, also by their own machines."""
        while self.agent.asked:
            name, event = self.agent.asked.popleft()
            app = self.apps.get(name.split("/")[0])
            if app is not None and name in app.units:
                app.units[name].tell(Event(event))
        return [u for a in self.apps.values() for u in a.units.values() if u.queue]

    def unit(self, name: str) -> Unit:
        """A unit by its name."""
        return self.apps[name.split("/")[0]].units[name]

    def statuses(self) -> dict[str, tuple[str, str]]:
        """What ``juju status`` shows of every unit."""
        units = [u for a in self.apps.values() for u in a.units.values()]
        return {unit.name: unit.status for unit in units}

    # --- what follows

    def counterparts(self, relation: Relation, unit: Unit) -> list[Unit]:
        """The remote units of a relation that a unit can see."""
        others = self.apps[relation.other(unit.app.name)].units.values()
        if relation.is_container:
            others = [other for other in others if other.group == unit.group]
        return [other for other in others if other is not unit]

    def _repeatable(self, unit: Unit) -> list[Event]:
        lead = [Event("leader-elected")] if unit.app.leader == unit.name else []
        events = [Event("upgrade-charm"), Event("config-changed"), Event("start"), *lead]
        for relation in self.relations.values():
            if relation.has(unit.app.name):
                remote = ["", *sorted(relation.seen[unit.name])]
                events += [Event("relation-changed", relation.id, name) for name in remote]
        return [*events, Event("update-status")]

    def _new_unit(
        self, app: Application, machine: machines.Machine, principal: Unit | None = None,
        *, storage: str | None = None,
    ) -> Unit:  # fmt: skip
        unit = Unit(f"{app.name}/{app.numbers}", app, machine, principal)
        app.numbers += 1
        app.units[unit.name] = unit
        app.leader = app.leader or unit.name
        machine.put(unit.name, app.charm.folder)
        relations = [r for r in self.relations.values() if r.has(app.name)]
        if storage is not None:
            self._attach(unit, storage)
        unit.queue.append(Event("install"))
        unit.queue += [Event("relation-created", relation.id) for relation in relations]
        first = "leader-elected" if app.leader == unit.name else "leader-settings-changed"
        unit.queue += [Event(first), Event("config-changed"), Event("start")]
        for relation in relations:
            self._enter(relation, unit)
        return unit

    def _attach(self, unit: Unit, kind: str) -> None:
        if kind not in (unit.app.charm.metadata.get("storage") or {}):
            raise RefusedError(f'charm "{unit.app.charm.name}" has no store called "{kind}"')
        name = f"{kind}/{self._storages}"
        self._storages += 1
        unit.storages[name] = unit.machine.store(name)
        unit.queue.append(Event("storage-attached", storage=name))

    def _elect(self, app: Application) -> None:
        """Have another unit lead: the youngest, since nobody may rely on its being the oldest."""
        app.leader = max(app.units, key=lambda name: int(name.split("/")[1]), default=None)
        if app.leader is not None:
            app.units[app.leader].tell(Event("leader-elected"))

    def _relate(self, *ends: tuple[str, str], is_container: bool) -> Relation:
        relation = Relation(self._numbers, ends, is_container)
        self._numbers += 1
        self.relations[relation.id] = relation
        units = [unit for name, _ in ends for unit in self.apps[name].units.values()]
        for unit in units:
            unit.tell(Event("relation-created", relation.id))
        for unit in units:
            self._enter(relation, unit)
        return relation

    def _enter(self, relation: Relation, unit: Unit) -> None:
        """Join a unit with all it can see, and bring its subordinate if it has none."""
        address = unit.machine.address
        relation.bags[unit.name] |= {
            "ingress-address": address,
            "private-address": address,
            "egress-subnets": f"{address}/32",
        }
        other = self.apps[relation.other(unit.app.name)]
        brings = relation.is_container and other.charm.is_subordinate
        if brings and all(below.principal is not unit for below in other.units.values()):
            self._new_unit(other, unit.machine, unit)
            return  # the new unit's own entering joins both
        for remote in self.counterparts(relation, unit):
            self._join(relation, unit, remote)
            self._join(relation, remote, unit)

    def _join(self, relation: Relation, unit: Unit, remote: Unit) -> None:
        if remote.name in relation.seen[unit.name]:
            return
        relation.seen[unit.name].add(remote.name)
        unit.tell(
            Event("relation-joined", relation.id, remote.name),
            Event("relation-changed", relation.id, remote.name),
        )

    def _leave(self, unit: Unit, relation: Relation) -> None:
        for name in sorted(relation.seen[unit.name]):
            departing = unit.name if unit.is_leaving else name
            unit.queue.append(Event("relation-departed", relation.id, name, departing))
        if not relation.is_peer:
            unit.queue.append(Event("relation-broken", relation.id))

    def _machine(self, number: str) -> machines.Machine:
        if number not in self.machines:
            self.machines[number] = self._make(number, self.agent.folder)
        return self.machines[number]

    def _set_options(self, app: Application, options: dict[str, Any]) -> None:
        for name, value in options.items():
            if value is not None:
                app.charm.check_option(name, value)
        defaults = app.charm.defaults()
        merged = {**app.config, **options}
        merged = {k: defaults.get(k) if v is None else v for k, v in merged.items()}
        app.config = {key: value for key, value in merged.items() if value is not None}

    def _match(self, one: str, other: str) -> tuple[tuple[str, str], tuple[str, str]]:
        pairs = [
            ((a.split(":")[0], mine.name), (b.split(":")[0], theirs.name))
            for a, b in ((one, other),)
            for mine in self._ends(a)
            for theirs in self._ends(b)
            if mine.interface == theirs.interface
            and {mine.role, theirs.role} == {"provides", "requires"}
        ]
        named = [p for p in pairs if "juju-info" not in {p[0][1], p[1][1]}] or pairs
        if len(named) != 1:
            raise RefusedError(
                f"{'ambiguous relation' if named else 'no relations found'}: {one} {other}"
            )
        return named[0]

    def _ends(self, end: str) -> list[charmfile.Endpoint]:
        name, _, endpoint = end.partition(":")
        if name not in self.apps:
            raise RefusedError(f'application "{name}" not found')
        ends = self.apps[name].charm.endpoints.values()
        return [e for e in ends if endpoint in ("", e.name)]
