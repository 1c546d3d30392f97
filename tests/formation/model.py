"""A model: what an operator does to it, and the events that follow."""

import pathlib
import shutil
import time
import uuid
from collections.abc import Callable
from typing import Any

from tests.formation import agent, charmfile, hook_times, machines
from tests.formation.charmfile import RefusedError
from tests.formation.entities import Application, Event, Relation, Secret, Task, Unit

VERSION = "3.6.14"
MOST_HOOKS = 1000  # more than any formation here needs: events would go in circles


class HookFailedError(Exception):
    """A charm's dispatch did not end well."""


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
        self._folder, self._make, self._numbers = folder, make, 0
        self.agent = agent.Agent(folder / "agent", self)

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

    def add_unit(self, name: str, to: str) -> Unit:
        """Add a unit on a machine, or on that of another unit."""
        machine = self.unit(to).machine if "/" in to else self._machine(to)
        return self._new_unit(self.apps[name], machine)

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
            unit.queue.append(Event("config-changed"))

    def refresh(self, name: str, archive: pathlib.Path) -> None:
        """Replace an application's charm."""
        app = self.apps[name]
        shutil.rmtree(app.charm.folder)
        app.charm = charmfile.unpack(archive, app.charm.folder)
        app.config = {**app.charm.defaults(), **app.config}
        for unit in app.units.values():
            unit.machine.put(unit.name, app.charm.folder)
            unit.queue += [Event("upgrade-charm"), Event("config-changed")]

    def run(self, unit: str, action: str, **parameters: Any) -> Task:
        """Run an action; underscores stand for dashes."""
        target = self.unit(unit)
        given = {key.replace("_", "-"): value for key, value in parameters.items()}
        checked = target.app.charm.parameters(action, given)
        task = Task(uuid.uuid4().hex[:8], action, checked)
        self._dispatch(target, Event(action, action=task))
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
        for secret in self.secrets.values():
            secret.grants = {grant for grant in secret.grants if grant[0] != relation.id}
        if relation.is_container:
            for unit in [u for a in self.apps.values() for u in a.units.values()]:
                if unit.principal is not None and relation.has(unit.app.name):
                    self.remove_unit(unit.name)

    def remove_unit(self, name: str) -> None:
        """Remove a unit: it departs everywhere, stops and is gone."""
        unit = self.unit(name)
        unit.is_leaving = True
        for below in [u for a in self.apps.values() for u in a.units.values()]:
            if below.principal is unit:
                self.remove_unit(below.name)
        for relation in list(self.relations.values()):
            if relation.has(unit.app.name):
                for other in self.counterparts(relation, unit):
                    if name in relation.seen[other.name]:
                        departed = Event("relation-departed", relation.id, name, name)
                        other.queue.append(departed)
                self._leave(unit, relation)
        unit.queue += [Event("stop"), Event("remove")]
        self.settle()
        unit.machine.forget(name)
        del unit.app.units[name]

    def update_status(self) -> None:
        """The event that comes every five minutes, to all."""
        for app in self.apps.values():
            for unit in app.units.values():
                unit.queue.append(Event("update-status"))

    def settle(self) -> int:
        """Run charms until nothing is left to tell; how often one was run.

        Raises:
            HookFailedError: if one fails, as a person would see it in the status.

        """
        ran = 0
        while busy := self._busy():
            for unit in busy:
                self._dispatch(unit, unit.queue[0])
                unit.queue.popleft()
                ran += 1
                if ran > MOST_HOOKS:
                    raise HookFailedError("the model does not settle")
        return ran

    def _busy(self) -> list[Unit]:
        """Units that have to be told something, also by their own machines."""
        while self.agent.asked:
            name, event = self.agent.asked.popleft()
            app = self.apps.get(name.split("/")[0])
            if app is not None and name in app.units:
                app.units[name].queue.append(Event(event))
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

    def new_revision(self, secret: Secret, content: dict[str, str]) -> None:
        """Give a secret a new content, and tell those who read it."""
        secret.revisions.append(content)
        leader = self.apps[secret.owner].leader
        for name in secret.tracked:
            unit = self.apps[name.split("/")[0]].units.get(name)
            if unit is not None and name != leader:
                unit.queue.append(Event("secret-changed", secret=secret.id))

    def forget(self, secret: Secret) -> None:
        """Remove a secret with all its revisions."""
        self.secrets.pop(secret.id, None)

    def _new_unit(
        self, app: Application, machine: machines.Machine, principal: Unit | None = None
    ) -> Unit:
        unit = Unit(f"{app.name}/{app.numbers}", app, machine, principal)
        app.numbers += 1
        app.units[unit.name] = unit
        machine.put(unit.name, app.charm.folder)
        relations = [r for r in self.relations.values() if r.has(app.name)]
        unit.queue.append(Event("install"))
        unit.queue += [Event("relation-created", relation.id) for relation in relations]
        first = "leader-elected" if app.leader == unit.name else "leader-settings-changed"
        unit.queue += [Event(first), Event("config-changed"), Event("start")]
        for relation in relations:
            self._enter(relation, unit)
        return unit

    def _relate(self, *ends: tuple[str, str], is_container: bool) -> Relation:
        relation = Relation(self._numbers, ends, is_container)
        self._numbers += 1
        self.relations[relation.id] = relation
        units = [unit for name, _ in ends for unit in self.apps[name].units.values()]
        for unit in units:
            unit.queue.append(Event("relation-created", relation.id))
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
        unit.queue.append(Event("relation-joined", relation.id, remote.name))
        unit.queue.append(Event("relation-changed", relation.id, remote.name))

    def _leave(self, unit: Unit, relation: Relation) -> None:
        for name in sorted(relation.seen[unit.name]):
            departing = unit.name if unit.is_leaving else name
            unit.queue.append(Event("relation-departed", relation.id, name, departing))
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

    # --- one hook, one transaction

    def _dispatch(self, unit: Unit, event: Event) -> None:
        context = agent.Context(unit, event, set(unit.ports), dict(unit.kept))
        number, started = uuid.uuid4().hex, time.monotonic()
        self.agent.contexts[number] = context
        try:
            ran = unit.machine.dispatch(unit.name, self._environment(unit, event, number))
        finally:
            del self.agent.contexts[number]
        self.trace.append((unit.name, self._hook(unit, event)))
        seconds = time.monotonic() - started
        self.times.append(
            hook_times.HookTime(
                unit.app.charm.name, self._hook(unit, event), event.action is not None, seconds,
                ran.processor, context.commands,
            )
        )  # fmt: skip
        if event.name == "relation-departed" and event.relation is not None:
            self.relations[event.relation].seen[unit.name].discard(event.unit)
        if ran.status != 0:
            unit.status = ("error", f'hook failed: "{self._hook(unit, event)}"')
            said = [
                text for name, level, text in self.log if (name, level) == (unit.name, "ERROR")
            ]
            output = "\n".join([*said[-3:], ran.output])[-4000:]
            raise HookFailedError(f"{unit.name} {self._hook(unit, event)}\n{output}")
        self._commit(context)

    def _commit(self, context: agent.Context) -> None:
        unit = context.unit
        unit.ports, unit.kept = context.ports, context.kept
        for follow_up in context.after:
            follow_up()
        for (number, owner), written in context.bags.items():
            relation = self.relations[number]
            bag = relation.bags[owner]
            changed = {key: v for key, v in written.items() if bag.get(key, "") != v}
            bag.update(changed)
            for key in [key for key, value in bag.items() if value == ""]:
                del bag[key]
            if changed:
                self._tell(relation, unit, owner)

    def _tell(self, relation: Relation, unit: Unit, owner: str) -> None:
        """Tell the other side of a databag that has changed, once however often."""
        is_of_app = "/" not in owner
        remote = self.apps[relation.other(unit.app.name)].units.values()
        others = list(remote) if is_of_app else self.counterparts(relation, unit)
        event = Event("relation-changed", relation.id, "" if is_of_app else owner)
        for other in others:
            knows = is_of_app or unit.name in relation.seen[other.name]
            if knows and other is not unit and event not in other.queue:
                other.queue.append(event)

    def _hook(self, unit: Unit, event: Event) -> str:
        if event.relation is None:
            return event.name
        return f"{self.relations[event.relation].endpoint(unit.app.name)}-{event.name}"

    def _environment(self, unit: Unit, event: Event, number: str) -> dict[str, str]:
        where = unit.machine.environment(unit.name)
        folder = "hooks" if event.action is None else "actions"
        environment = {
            **where,
            "CHARM_DIR": where["JUJU_CHARM_DIR"],
            "HOME": "/root",
            "LANG": "C.UTF-8",
            "JUJU_CONTEXT_ID": number,
            "JUJU_AGENT_SOCKET_NETWORK": "unix",
            "JUJU_MODEL_NAME": "formation",
            "JUJU_MODEL_UUID": self.uuid,
            "JUJU_UNIT_NAME": unit.name,
            "JUJU_VERSION": VERSION,
            "JUJU_MACHINE_ID": unit.machine.id,
            "JUJU_PRINCIPAL_UNIT": unit.principal.name if unit.principal else "",
            "JUJU_AVAILABILITY_ZONE": "",
            "JUJU_DISPATCH_PATH": f"{folder}/{self._hook(unit, event)}",
        }
        if event.action is not None:
            environment |= {"JUJU_ACTION_NAME": event.name, "JUJU_ACTION_UUID": event.action.id}
        else:
            environment["JUJU_HOOK_NAME"] = self._hook(unit, event)
        if event.relation is not None:
            environment |= self._relation_environment(unit, event)
        if event.secret is not None:
            label = self.secrets[event.secret].label or ""
            environment |= {"JUJU_SECRET_ID": f"secret:{event.secret}", "JUJU_SECRET_LABEL": label}
        return environment

    def _relation_environment(self, unit: Unit, event: Event) -> dict[str, str]:
        relation = self.relations[event.relation or 0]
        endpoint = relation.endpoint(unit.app.name)
        return {
            "JUJU_RELATION": endpoint,
            "JUJU_RELATION_ID": f"{endpoint}:{relation.id}",
            "JUJU_REMOTE_APP": relation.other(unit.app.name),
            "JUJU_REMOTE_UNIT": event.unit,
            **({"JUJU_DEPARTING_UNIT": event.departing} if event.departing else {}),
        }
