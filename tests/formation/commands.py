"""The hook commands, each a function from a running hook and its arguments to a text."""

import dataclasses
import json
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.formation import entities
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
_WITH_VALUE = {
    "-r", "-s", "-l", "--file", "--log-level", "--label", "--description", "--expire", "--rotate",
    "--owner", "--relation", "--unit", "--revision",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Call:
    """One hook command's arguments, taken apart."""

    context: "Context"
    options: dict[str, str]
    words: list[str]
    stdin: str
    files: dict[str, str]

    @property
    def pairs(self) -> dict[str, str]:
        """The words of the form key=value or key#file=path."""
        found: dict[str, str] = {}
        for word in self.words:
            key, equals, value = word.partition("=")
            if equals and key.endswith("#file"):
                found[key.removesuffix("#file")] = self.files[value]
            elif equals:
                found[key] = value
        return found


class Commands:
    """All commands against one model; unknown ones are refused."""

    def __init__(self, model: "Model") -> None:
        self._model = model

    def run(
        self, context: "Context", name: str, arguments: list[str], stdin: str,
        files: dict[str, str],
    ) -> str:  # fmt: skip
        """Run one command; what it prints."""
        handler: Callable[[Call], Any] | None = getattr(self, "_" + name.replace("-", "_"), None)
        if handler is None:
            raise RefusedError(f"{name} is not emulated")
        options, words = _parse(name, arguments)
        answer = handler(Call(context, options, words, stdin, files))
        if answer is None:
            return ""
        return answer if name == "secret-add" else json.dumps(answer)

    # --- the unit and its application

    def _juju_log(self, call: Call) -> None:
        level = call.options.get("--log-level", "INFO")
        self._model.log.append((call.context.unit.name, level, " ".join(call.words)))

    def _config_get(self, call: Call) -> Any:
        config = call.context.app.config
        return config.get(call.words[0]) if call.words else config

    def _is_leader(self, call: Call) -> bool:
        return call.context.is_leader

    def _status_set(self, call: Call) -> None:
        status = (call.words[0], " ".join(call.words[1:]))
        if call.options.get("--application", "false").lower() == "true":
            _must_lead(call)
            call.context.app.status = status
        else:
            call.context.unit.status = status

    def _status_get(self, call: Call) -> dict[str, Any]:
        status, message = call.context.unit.status
        return {"status": status, "message": message, "status-data": {}}

    def _application_version_set(self, call: Call) -> None:
        call.context.app.version = call.words[0]

    def _unit_get(self, call: Call) -> str:
        return call.context.unit.machine.address

    def _goal_state(self, call: Call) -> dict[str, Any]:
        units = call.context.app.units.values()
        since = "2026-01-01T00:00:00Z"
        goals = {unit.name: {"status": unit.status[0], "since": since} for unit in units}
        return {"units": goals, "relations": {}}

    def _network_get(self, call: Call) -> dict[str, Any]:
        address = call.context.unit.machine.address
        interface = {"hostname": "", "value": address, "cidr": f"{address}/32"}
        return {
            "bind-addresses": [{"interface-name": "eth0", "addresses": [interface]}],
            "ingress-addresses": [address],
            "egress-subnets": [f"{address}/32"],
        }

    def _open_port(self, call: Call) -> None:
        call.context.ports.add(_port(call.words[0]))

    def _close_port(self, call: Call) -> None:
        call.context.ports.discard(_port(call.words[0]))

    def _opened_ports(self, call: Call) -> list[str]:
        return sorted(call.context.ports)

    def _state_get(self, call: Call) -> Any:
        return call.context.kept.get(call.words[0]) if call.words else call.context.kept

    def _state_set(self, call: Call) -> None:
        call.context.kept.update(json.loads(call.stdin) if call.stdin else call.pairs)

    def _state_delete(self, call: Call) -> None:
        call.context.kept.pop(call.words[0], None)

    def _storage_list(self, _: Call) -> list[str]:
        return []  # no machine here has any

    # --- relations

    def _relation_ids(self, call: Call) -> list[str]:
        app, name = call.context.app.name, call.words[0]
        relations = self._model.relations.values()
        return [f"{name}:{r.id}" for r in relations if (app, name) in r.ends]

    def _relation_list(self, call: Call) -> Any:
        relation = self._relation(call)
        if "--app" in call.options:
            return relation.other(call.context.app.name)
        return sorted(relation.seen[call.context.unit.name])

    def _relation_get(self, call: Call) -> Any:
        relation, context = self._relation(call), call.context
        key = call.words[0] if call.words and call.words[0] != "-" else None
        owner = call.words[1] if len(call.words) > 1 else context.event.unit or context.unit.name
        if "--app" in call.options:
            owner = owner.split("/")[0]
        self._must_read(context, relation, owner)
        bag = {**relation.bags[owner], **context.bags.get((relation.id, owner), {})}
        bag = {k: v for k, v in bag.items() if v != ""}
        return bag.get(key) if key else bag

    def _relation_set(self, call: Call) -> None:
        relation = self._relation(call)
        owner = call.context.unit.name
        if "--app" in call.options:
            _must_lead(call)
            owner = call.context.app.name
        written = json.loads(call.stdin) if call.stdin else call.pairs
        if any(not isinstance(value, str) for value in written.values()):
            raise RefusedError("cannot write relation settings: values must be texts")
        call.context.bags[relation.id, owner].update(written)

    def _relation_model_get(self, call: Call) -> dict[str, str]:
        self._relation(call)
        return {"uuid": self._model.uuid}

    def _relation(self, call: Call) -> entities.Relation:
        asked = call.options.get("-r")
        number = int(asked.split(":")[-1]) if asked else call.context.event.relation
        relation = self._model.relations.get(number) if number is not None else None
        if relation is None or not relation.has(call.context.app.name):
            raise RefusedError(f'invalid value "{asked}" for option -r: relation not found')
        return relation

    def _must_read(self, context: "Context", relation: entities.Relation, owner: str) -> None:
        app, unit = context.app.name, context.unit.name
        is_peer = len(relation.ends) == 1
        if owner == app and not context.is_leader and not is_peer:
            raise RefusedError("permission denied")
        known = {unit, app, relation.other(app), context.event.unit, *relation.seen[unit]}
        if owner not in known:
            raise RefusedError(f"permission denied: {owner} is not in scope")

    # --- secrets

    def _secret_add(self, call: Call) -> str:
        if call.options.get("--owner", "application") != "application":
            raise RefusedError("secrets of a unit are not emulated")
        _must_lead(call)
        secret = entities.Secret(
            uuid.uuid4().hex[:20], call.context.app.name, [call.pairs],
            call.options.get("--label"), call.options.get("--description", ""),
        )  # fmt: skip
        self._model.secrets[secret.id] = secret
        return f"secret:{secret.id}\n"

    def _secret_ids(self, call: Call) -> list[str]:
        app = call.context.app.name
        return [s.id for s in self._model.secrets.values() if s.owner == app]

    def _secret_get(self, call: Call) -> dict[str, str]:
        secret, context = self._secret(call), call.context
        is_own = secret.owner == context.app.name
        if not is_own and all(app != context.app.name for _, app in secret.grants):
            raise RefusedError(f'permission denied: secret "{secret.id}"')
        last = len(secret.revisions)
        if "--peek" in call.options:
            return secret.revisions[-1]
        tracked = secret.tracked.setdefault(context.unit.name, last)
        if "--refresh" in call.options:
            tracked = secret.tracked[context.unit.name] = last
        return secret.revisions[tracked - 1]

    def _secret_info_get(self, call: Call) -> dict[str, Any]:
        secret = self._owned(call)
        info = {
            "revision": len(secret.revisions),
            "label": secret.label or "",
            "owner": "application",
            "rotation": "never",
            "description": secret.description,
        }
        return {secret.id: info}

    def _secret_set(self, call: Call) -> None:
        secret, content = self._owned(call), call.pairs
        if content and content != secret.revisions[-1]:
            call.context.after.append(lambda: self._model.new_revision(secret, content))

    def _secret_grant(self, call: Call) -> None:
        secret, relation = self._owned(call), self._granted(call)
        secret.grants.add((relation.id, relation.other(call.context.app.name)))

    def _secret_revoke(self, call: Call) -> None:
        secret, relation = self._owned(call), self._granted(call)
        secret.grants.discard((relation.id, relation.other(call.context.app.name)))

    def _secret_remove(self, call: Call) -> None:
        secret = self._owned(call)
        call.context.after.append(lambda: self._model.forget(secret))

    def _granted(self, call: Call) -> entities.Relation:
        return self._model.relations[int(call.options["--relation"].split(":")[-1])]

    def _secret(self, call: Call) -> entities.Secret:
        names = [w for w in call.words if "=" not in w]
        wanted = names[0].removeprefix("secret:").split("/")[-1] if names else None
        for secret in self._model.secrets.values():
            is_labelled = secret.label and secret.label == call.options.get("--label")
            if secret.id == wanted or (wanted is None and is_labelled):
                return secret
        raise RefusedError(f'secret "{wanted or call.options.get("--label")}" not found')

    def _owned(self, call: Call) -> entities.Secret:
        secret = self._secret(call)
        if secret.owner != call.context.app.name:
            raise RefusedError("permission denied")
        _must_lead(call)
        return secret

    # --- actions

    def _action_get(self, call: Call) -> Any:
        parameters = _task(call).parameters
        return parameters.get(call.words[0]) if call.words else parameters

    def _action_set(self, call: Call) -> None:
        for key, value in call.pairs.items():
            *path, last = key.split(".")
            place = _task(call).results
            for part in path:
                place = place.setdefault(part, {})
            place[last] = value

    def _action_log(self, call: Call) -> None:
        _task(call).log.append(" ".join(call.words))

    def _action_fail(self, call: Call) -> None:
        _task(call).failure = " ".join(call.words) or "action failed without reason given"


def _parse(name: str, arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    options: dict[str, str] = {}
    words: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            words += list(rest)
        elif argument.startswith("-") and argument != "-":
            key, equals, value = argument.partition("=")
            takes = key in _WITH_VALUE and not equals
            options[key] = value if equals else next(rest) if takes else ""
        else:
            words.append(argument)
    return options, words


def _must_lead(call: Call) -> None:
    if not call.context.is_leader:
        raise RefusedError("permission denied: this unit is not the leader")


def _task(call: Call) -> entities.Task:
    if call.context.event.action is None:
        raise RefusedError("not running an action")
    return call.context.event.action


def _port(text: str) -> str:
    return text if "/" in text or text == "icmp" else f"{text}/tcp"
