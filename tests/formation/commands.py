"""The hook commands, each a function from a running hook and its arguments to a text."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.formation import calls, entities, secret_commands
from tests.formation.charmfile import RefusedError

if TYPE_CHECKING:
    from tests.formation.agent import Context
    from tests.formation.model import Model

_ALL = """
action-fail action-get action-log action-set application-version-set close-port config-get
credential-get goal-state is-leader juju-log juju-reboot network-get open-port opened-ports
relation-get relation-ids relation-list relation-model-get relation-set resource-get
secret-add secret-get secret-grant secret-ids secret-info-get secret-remove secret-revoke
secret-set state-delete state-get state-set status-get status-set storage-add storage-get
storage-list unit-get
"""
NAMES = tuple(_ALL.split())


class Commands(secret_commands.SecretCommands):
    """All commands against one model; unknown ones are refused."""

    def __init__(self, model: "Model") -> None:
        self._model = model

    def run(
        self, context: "Context", name: str, arguments: list[str], stdin: str,
        files: dict[str, str],
    ) -> str:  # fmt: skip
        """Run one command; what it prints."""
        handler: Callable[[calls.Call], Any] | None = getattr(
            self, "_" + name.replace("-", "_"), None
        )
        if handler is None:
            raise RefusedError(f"{name} is not emulated")
        options, words = calls.parse(name, arguments)
        call = calls.Call(context, options, words, stdin, files)
        return calls.printed(handler(call), is_json=call.is_json)

    # --- the unit and its application

    def _juju_log(self, call: calls.Call) -> None:
        level = call.options.get("--log-level", "INFO")
        self._model.log.append((call.context.unit.name, level, " ".join(call.words)))

    def _config_get(self, call: calls.Call) -> Any:
        config = call.context.app.config
        return config.get(call.words[0]) if call.words else config

    def _is_leader(self, call: calls.Call) -> bool:
        return call.context.is_leader

    def _status_set(self, call: calls.Call) -> None:
        status = (call.words[0], " ".join(call.words[1:]))
        if call.options.get("--application", "false").lower() == "true":
            call.must_lead()
            call.context.app.status = status
        else:
            call.context.unit.status = status

    def _status_get(self, call: calls.Call) -> dict[str, Any]:
        status, message = call.context.unit.status
        return {"status": status, "message": message, "status-data": {}}

    def _application_version_set(self, call: calls.Call) -> None:
        call.context.app.version = call.words[0]

    def _unit_get(self, call: calls.Call) -> str:
        return call.context.unit.machine.address

    def _goal_state(self, call: calls.Call) -> dict[str, Any]:
        # As Juju has it: of subordinates only those of this unit, which is none's principal here.
        units = [unit for unit in call.context.app.units.values() if unit.principal is None]
        since = "2026-01-01T00:00:00Z"
        goals = {unit.name: {"status": unit.status[0], "since": since} for unit in units}
        return {"units": goals, "relations": {}}

    def _network_get(self, call: calls.Call) -> dict[str, Any]:
        address = call.context.unit.machine.address
        interface = {"hostname": "", "value": address, "cidr": f"{address}/32"}
        return {
            "bind-addresses": [{"interface-name": "eth0", "addresses": [interface]}],
            "ingress-addresses": [address],
            "egress-subnets": [f"{address}/32"],
        }

    def _open_port(self, call: calls.Call) -> None:
        call.context.ports.add(_port(call.words[0]))

    def _close_port(self, call: calls.Call) -> None:
        call.context.ports.discard(_port(call.words[0]))

    def _opened_ports(self, call: calls.Call) -> list[str]:
        return sorted(call.context.ports)

    def _state_get(self, call: calls.Call) -> Any:
        return call.context.kept.get(call.words[0]) if call.words else call.context.kept

    def _state_set(self, call: calls.Call) -> None:
        call.context.kept.update(json.loads(call.stdin) if call.stdin else call.pairs)

    def _state_delete(self, call: calls.Call) -> None:
        call.context.kept.pop(call.words[0], None)

    # --- storage

    def _storage_list(self, call: calls.Call) -> list[str]:
        kinds = call.words or [""]
        return [
            n for n in call.context.unit.storages if n.split("/")[0] == kinds[0] or not kinds[0]
        ]

    def _storage_get(self, call: calls.Call) -> Any:
        name = call.options.get("-s") or call.context.event.storage
        location = call.context.unit.storages.get(name)
        if location is None:
            raise RefusedError(f'storage "{name}" not found')
        facts = {"kind": "filesystem", "location": location}
        return facts[call.words[0]] if call.words else facts

    # --- relations

    def _relation_ids(self, call: calls.Call) -> list[str]:
        app, name = call.context.app.name, call.words[0]
        relations = self._model.relations.values()
        return [f"{name}:{r.id}" for r in relations if (app, name) in r.ends]

    def _relation_list(self, call: calls.Call) -> Any:
        relation = self._relation(call)
        if "--app" in call.options:
            return relation.other(call.context.app.name)
        return sorted(relation.seen[call.context.unit.name])

    def _relation_get(self, call: calls.Call) -> Any:
        relation, context = self._relation(call), call.context
        key = call.words[0] if call.words and call.words[0] != "-" else None
        owner = call.words[1] if len(call.words) > 1 else context.event.unit or context.unit.name
        if "--app" in call.options:
            owner = owner.split("/")[0]
        self._must_read(context, relation, owner)
        bag = {**relation.bags[owner], **context.bags.get((relation.id, owner), {})}
        bag = {k: v for k, v in bag.items() if v != ""}
        return bag.get(key) if key else bag

    def _relation_set(self, call: calls.Call) -> None:
        relation = self._relation(call)
        owner = call.context.unit.name
        if "--app" in call.options:
            call.must_lead()
            owner = call.context.app.name
        written = json.loads(call.stdin) if call.stdin else call.pairs
        if any(not isinstance(value, str) for value in written.values()):
            raise RefusedError("cannot write relation settings: values must be texts")
        call.context.bags[relation.id, owner].update(written)

    def _relation_model_get(self, call: calls.Call) -> dict[str, str]:
        self._relation(call)
        return {"uuid": self._model.uuid}

    def _relation(self, call: calls.Call) -> entities.Relation:
        asked = call.options.get("-r")
        number = int(asked.split(":")[-1]) if asked else call.context.event.relation
        relation = self._model.relations.get(number) if number is not None else None
        if relation is None or not relation.has(call.context.app.name):
            raise RefusedError(f'invalid value "{asked}" for option -r: relation not found')
        return relation

    def _must_read(self, context: "Context", relation: entities.Relation, owner: str) -> None:
        app, unit = context.app.name, context.unit.name
        if owner == app and not context.is_leader and not relation.is_peer:
            raise RefusedError("permission denied")
        known = {unit, app, relation.other(app), context.event.unit, *relation.seen[unit]}
        if owner not in known:
            raise RefusedError(f"permission denied: {owner} is not in scope")

    # --- actions

    def _action_get(self, call: calls.Call) -> Any:
        parameters = _task(call).parameters
        return parameters.get(call.words[0]) if call.words else parameters

    def _action_set(self, call: calls.Call) -> None:
        for key, value in call.pairs.items():
            *path, last = key.split(".")
            place = _task(call).results
            for part in path:
                place = place.setdefault(part, {})
            place[last] = value

    def _action_log(self, call: calls.Call) -> None:
        _task(call).log.append(" ".join(call.words))

    def _action_fail(self, call: calls.Call) -> None:
        _task(call).failure = " ".join(call.words) or "action failed without reason given"


def _task(call: calls.Call) -> entities.Task:
    if call.context.event.action is None:
        raise RefusedError("not running an action")
    return call.context.event.action


def _port(text: str) -> str:
    return text if "/" in text or text == "icmp" else f"{text}/tcp"
