"""The hook commands about secrets: what they change is so once the hook has succeeded."""

import functools
import uuid
from typing import TYPE_CHECKING, Any

from tests.formation import calls, entities
from tests.formation.charmfile import RefusedError

if TYPE_CHECKING:
    from tests.formation.model import Model


class SecretCommands:
    """They see what the running hook has written itself, as Juju's do."""

    _model: "Model"

    def _secret_add(self, call: calls.Call) -> str:
        context, content = call.context, call.pairs
        is_of_unit = call.options.get("--owner", "application") == "unit"
        if not is_of_unit:
            call.must_lead()
        if not content:
            raise RefusedError("empty secret content not valid")
        secret = entities.Secret(
            uuid.uuid4().hex[:20], context.unit.name if is_of_unit else context.app.name,
            {1: content}, call.options.get("--label"), call.options.get("--description", ""),
            call.options.get("--expire"),
        )  # fmt: skip
        if secret.label and any(s.label == secret.label for s in self._own(call)):
            raise RefusedError(f'secret with label "{secret.label}" already exists')
        context.created[secret.id] = secret
        return f"secret:{secret.id}"

    def _secret_ids(self, call: calls.Call) -> list[str]:
        return [secret.id for secret in self._own(call)]

    def _secret_get(self, call: calls.Call) -> dict[str, str]:
        secret, unit = self._secret(call), call.context.unit
        if not secret.is_readable_by(unit):
            raise RefusedError(f'permission denied: secret "{secret.id}"')
        if _id(call) and "--label" in call.options and not secret.is_of(unit):
            secret.names[unit.name] = call.options["--label"]
        is_newest = "--peek" in call.options or "--refresh" in call.options
        if is_newest and secret.id in call.context.contents:
            call.context.after.append(functools.partial(self._track, call, secret))
            return call.context.contents[secret.id]
        if "--peek" in call.options:
            return secret.revisions[secret.latest]
        tracked = secret.tracked.setdefault(unit.name, secret.latest)
        if "--refresh" in call.options:
            tracked = secret.tracked[unit.name] = secret.latest
        if tracked not in secret.revisions:
            raise RefusedError(f'secret "{secret.id}" revision {tracked} not found')
        return secret.revisions[tracked]

    def _secret_info_get(self, call: calls.Call) -> dict[str, Any]:
        secret = self._managed(call)
        info = {
            "revision": secret.latest,
            "label": secret.label or "",
            "owner": "unit" if "/" in secret.owner else "application",
            "rotation": "never",
            "description": secret.description,
            **({"expiry": secret.expiry} if secret.expiry else {}),
        }
        return {secret.id: info}

    def _secret_set(self, call: calls.Call) -> None:
        secret, content, said = self._managed(call), call.pairs, call.options
        call.context.after.append(functools.partial(_describe, secret, said))
        if not content or content == secret.revisions[secret.latest]:
            return
        if secret.id in call.context.created:
            secret.revisions[secret.latest] = content
            return
        if secret.id not in call.context.contents:
            call.context.after.append(functools.partial(self._revise, call, secret))
        call.context.contents[secret.id] = content

    def _secret_grant(self, call: calls.Call) -> None:
        grant = self._grant(call)
        call.context.after.append(functools.partial(self._managed(call).grants.add, grant))

    def _secret_revoke(self, call: calls.Call) -> None:
        secret = self._managed(call)
        if "--relation" in call.options:
            gone = {self._grant(call)}
        else:
            whom = call.options.get("--unit") or call.options.get("--app")
            gone = {grant for grant in secret.grants if grant[1] == whom}
        call.context.after.append(functools.partial(secret.grants.difference_update, gone))

    def _secret_remove(self, call: calls.Call) -> None:
        secret = self._managed(call)
        revision = call.options.get("--revision")
        call.context.created.pop(secret.id, None)
        forget = functools.partial(self._model.vault.forget, secret)
        call.context.after.append(functools.partial(forget, int(revision) if revision else None))

    def _own(self, call: calls.Call) -> list[entities.Secret]:
        """Those that the unit may change: its own, and as the leader its application's."""
        context = call.context
        owners = {context.unit.name, *([context.app.name] if context.is_leader else [])}
        return [secret for secret in self._known(call) if secret.owner in owners]

    def _known(self, call: calls.Call) -> list[entities.Secret]:
        return [*self._model.secrets.values(), *call.context.created.values()]

    def _secret(self, call: calls.Call) -> entities.Secret:
        wanted, label, unit = _id(call), call.options.get("--label"), call.context.unit
        for secret in self._known(call):
            own = secret.is_of(unit) and secret.label == label
            is_labelled = label and (own or secret.names.get(unit.name) == label)
            if secret.id == wanted or (wanted is None and is_labelled):
                return secret
        raise RefusedError(f'secret "{wanted or label}" not found')

    def _managed(self, call: calls.Call) -> entities.Secret:
        secret = self._secret(call)
        if not secret.is_of(call.context.unit):
            raise RefusedError("permission denied")
        if secret.owner != call.context.unit.name:
            call.must_lead()
        return secret

    def _grant(self, call: calls.Call) -> tuple[int, str]:
        relation = self._model.relations[int(call.options["--relation"].split(":")[-1])]
        other = relation.other(call.context.app.name)
        return relation.id, call.options.get("--unit", other)

    def _revise(self, call: calls.Call, secret: entities.Secret) -> None:
        self._model.vault.revise(secret, call.context.contents[secret.id])

    def _track(self, call: calls.Call, secret: entities.Secret) -> None:
        if "--refresh" in call.options:
            secret.tracked[call.context.unit.name] = secret.latest


def _id(call: calls.Call) -> str | None:
    names = [word for word in call.words if "=" not in word]
    return names[0].removeprefix("secret:").split("/")[-1] if names else None


def _describe(secret: entities.Secret, said: dict[str, str]) -> None:
    secret.label = said.get("--label", secret.label)
    secret.description = said.get("--description", secret.description)
    secret.expiry = said.get("--expire", secret.expiry)
