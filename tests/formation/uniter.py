"""One hook of one unit, as one transaction: what it wrote takes effect if it succeeds."""

import time
import uuid
from typing import TYPE_CHECKING

from tests.formation import agent, hook_times
from tests.formation.entities import Event, Relation, Unit

if TYPE_CHECKING:
    from tests.formation.model import Model

VERSION = "3.6.14"


class HookFailedError(Exception):
    """A charm's dispatch did not end well."""


class Uniter:
    """Runs charms for a model."""

    def __init__(self, model: "Model") -> None:
        self._model = model

    def dispatch(self, unit: Unit, event: Event) -> None:
        """Tell a unit something.

        Raises:
            HookFailedError: if its charm fails; then nothing that it wrote is so.

        """
        model, hook = self._model, self._hook(unit, event)
        if event.name == "relation-departed" and event.relation is not None:
            model.relations[event.relation].seen[unit.name].discard(event.unit)
        context = agent.Context(unit, event, set(unit.ports), dict(unit.kept))
        number, started = uuid.uuid4().hex, time.monotonic()
        model.agent.contexts[number] = context
        try:
            ran = unit.machine.dispatch(unit.name, self._environment(unit, event, number))
        finally:
            del model.agent.contexts[number]
        model.trace.append((unit.name, hook))
        seconds = time.monotonic() - started if ran.seconds is None else ran.seconds
        model.times.append(
            hook_times.HookTime(
                unit.app.charm.name, hook, event.action is not None, seconds, ran.processor,
                context.commands,
            )
        )  # fmt: skip
        if ran.status != 0:
            unit.status = ("error", f'hook failed: "{hook}"')
            raise HookFailedError(f"{unit.name} {hook}\n{self._said(unit, ran.output)}")
        self._commit(context)

    def _said(self, unit: Unit, output: str) -> str:
        errors = [
            text for name, level, text in self._model.log if (name, level) == (unit.name, "ERROR")
        ]
        return "\n".join([*errors[-3:], output])[-4000:]

    def _commit(self, context: agent.Context) -> None:
        unit = context.unit
        unit.ports, unit.kept = context.ports, context.kept
        self._model.secrets |= context.created
        for follow_up in context.after:
            follow_up()
        self._model.vault.tell_of_outlived()
        for (number, owner), written in context.bags.items():
            relation = self._model.relations[number]
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
        remote = self._model.apps[relation.other(unit.app.name)].units.values()
        others = list(remote) if is_of_app else self._model.counterparts(relation, unit)
        event = Event("relation-changed", relation.id, "" if is_of_app else owner)
        for other in others:
            knows = is_of_app or unit.name in relation.seen[other.name]
            if knows and other is not unit and event not in other.queue:
                other.tell(event)

    def _hook(self, unit: Unit, event: Event) -> str:
        if event.storage:
            return f"{event.storage.split('/')[0]}-{event.name}"
        if event.relation is None:
            return event.name
        return f"{self._model.relations[event.relation].endpoint(unit.app.name)}-{event.name}"

    def _environment(self, unit: Unit, event: Event, number: str) -> dict[str, str]:
        where, hook = unit.machine.environment(unit.name), self._hook(unit, event)
        folder = "hooks" if event.action is None else "actions"
        environment = {
            **where,
            "CHARM_DIR": where["JUJU_CHARM_DIR"],
            "HOME": "/root",
            "LANG": "C.UTF-8",
            "JUJU_CONTEXT_ID": number,
            "JUJU_AGENT_SOCKET_NETWORK": "unix",
            "JUJU_MODEL_NAME": "formation",
            "JUJU_MODEL_UUID": self._model.uuid,
            "JUJU_UNIT_NAME": unit.name,
            "JUJU_VERSION": VERSION,
            "JUJU_MACHINE_ID": unit.machine.id,
            "JUJU_PRINCIPAL_UNIT": unit.principal.name if unit.principal else "",
            "JUJU_AVAILABILITY_ZONE": "",
            "JUJU_DISPATCH_PATH": f"{folder}/{hook}",
        }
        if event.action is not None:
            environment |= {"JUJU_ACTION_NAME": event.name, "JUJU_ACTION_UUID": event.action.id}
        else:
            environment["JUJU_HOOK_NAME"] = hook
        if event.relation is not None:
            environment |= self._of_relation(unit, event)
        if event.secret is not None:
            environment |= self._of_secret(unit, event)
        if event.storage:
            environment |= {
                "JUJU_STORAGE_ID": event.storage,
                "JUJU_STORAGE_KIND": "filesystem",
                "JUJU_STORAGE_LOCATION": unit.storages[event.storage],
            }
        return environment

    def _of_relation(self, unit: Unit, event: Event) -> dict[str, str]:
        relation = self._model.relations[event.relation or 0]
        endpoint = relation.endpoint(unit.app.name)
        return {
            "JUJU_RELATION": endpoint,
            "JUJU_RELATION_ID": f"{endpoint}:{relation.id}",
            "JUJU_REMOTE_APP": relation.other(unit.app.name),
            "JUJU_REMOTE_UNIT": event.unit,
            **({"JUJU_DEPARTING_UNIT": event.departing} if event.departing else {}),
        }

    def _of_secret(self, unit: Unit, event: Event) -> dict[str, str]:
        secret = self._model.secrets[event.secret or ""]
        label = secret.label if secret.is_of(unit) else secret.names.get(unit.name)
        revision = {} if event.revision is None else {"JUJU_SECRET_REVISION": str(event.revision)}
        return {
            "JUJU_SECRET_ID": f"secret:{secret.id}",
            "JUJU_SECRET_LABEL": label or "",
        } | revision
