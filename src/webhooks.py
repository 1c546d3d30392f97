"""Webhook secrets: one Juju secret per project, made by the leader, known to all units."""

import contextlib
import dataclasses
import json
import secrets

import ops
from charms.docker_build_hook.v0 import dockerfile

import departure

PEERS = "peers"
KEY, PREVIOUS = "webhook-secret", "previous-webhook-secret"


@dataclasses.dataclass(frozen=True)
class WebhookSecret:
    """What signs a project's deliveries; ``previous`` is accepted as well until it is dropped."""

    id: str
    value: str
    previous: str | None = None


class WebhookSecrets:
    """The secrets of all projects; the peer databag says which is whose."""

    def __init__(
        self,
        charm: ops.CharmBase,
        projects: dockerfile.ProjectRequirer,
        leaving: departure.Departure,
    ) -> None:
        self._charm = charm
        self._projects = projects
        self._leaving = leaving
        # What this event has made: Juju need not give it back before the event has ended.
        self._made: dict[str, ops.Secret] = {}
        self._seen: dict[str, WebhookSecret] = {}

    def ensure(self, requests: tuple[dockerfile.Request, ...]) -> None:
        """Give every project its secret, and remove those of projects that are gone.

        Only the leader can. One that leaves sees all relations break, and the projects are still
        there: it touches nothing. It may see the first of them break before it is told that it
        leaves, so what breaks keeps its secret until the next event.
        """
        if not self._charm.unit.is_leader() or self._peers() is None:
            return
        if self._leaving.is_of_this_unit:
            return
        known = self._known()
        apps = {request.app for request in requests}
        for app in known.keys() - apps - {self._leaving.app}:
            self._remove(str(known.pop(app)["id"]))
        for app in sorted(app for app in apps & known.keys() if self.get(app) is None):
            del known[app]  # somebody has removed the secret
        for app in sorted(apps - known.keys()):
            known[app] = {"id": self._create(app), "revision": 1}
        self._remember(known)
        for request in requests:
            self._share(request, str(known[request.app]["id"]))

    def get(self, app: str) -> WebhookSecret | None:
        """A project's secret; None until the leader has made it, or if it is there no more."""
        if app in self._seen:
            return self._seen[app]
        entry = self._known().get(app)
        if entry is None:
            return None
        try:
            content = self._secret(str(entry["id"])).peek_content()
        except ops.SecretNotFoundError:
            return None
        found = WebhookSecret(str(entry["id"]), content[KEY], content.get(PREVIOUS))
        self._seen[app] = found
        return found

    def rotate(self, app: str) -> WebhookSecret | None:
        """Make a new secret; the present one stays valid beside it."""
        current = self.get(app)
        if current is None:
            return None
        return self._change(app, {KEY: secrets.token_urlsafe(32), PREVIOUS: current.value})

    def forget_previous(self, app: str) -> WebhookSecret | None:
        """End a rotation: only the present secret is valid from now on."""
        current = self.get(app)
        if current is None or current.previous is None:
            return current
        return self._change(app, {KEY: current.value})

    def _create(self, app: str) -> str:
        content = {KEY: secrets.token_urlsafe(32)}
        secret = self._charm.app.add_secret(content, description=f"Signs deliveries for {app}")
        secret_id = secret.id or secret.get_info().id
        self._made[secret_id] = secret
        self._seen[app] = WebhookSecret(secret_id, content[KEY])
        return secret_id

    def _share(self, request: dockerfile.Request, secret_id: str) -> None:
        relation = self._projects.relation(request.relation_id)
        published = relation.data[self._charm.app].get("secret_id")
        if published != json.dumps(secret_id):  # a secret that was made anew has no grants
            self._secret(secret_id).grant(relation)
        self._projects.publish_secret(request.relation_id, secret_id)

    def _remove(self, secret_id: str) -> None:
        with contextlib.suppress(ops.SecretNotFoundError):
            self._secret(secret_id).remove_all_revisions()

    def _secret(self, secret_id: str) -> ops.Secret:
        return self._made.get(secret_id) or self._charm.model.get_secret(id=secret_id)

    def _change(self, app: str, content: dict[str, str]) -> WebhookSecret | None:
        known = self._known()
        entry = known[app]
        self._secret(str(entry["id"])).set_content(content)
        # The number wakes the other units, which then write the new value for their web.
        known[app] = {**entry, "revision": int(entry["revision"]) + 1}
        self._remember(known)
        changed = WebhookSecret(str(entry["id"]), content[KEY], content.get(PREVIOUS))
        self._seen[app] = changed
        return changed

    def _peers(self) -> ops.Relation | None:
        return self._charm.model.get_relation(PEERS)

    def _known(self) -> dict[str, dict[str, str | int]]:
        peers = self._peers()
        text = peers.data[self._charm.app].get("secrets", "[]") if peers else "[]"
        return {
            entry["app"]: {"id": entry["id"], "revision": entry["revision"]}
            for entry in json.loads(text)
        }

    def _remember(self, known: dict[str, dict[str, str | int]]) -> None:
        peers = self._peers()
        assert peers is not None, "every caller has looked"  # noqa: S101
        text = json.dumps([{"app": app, **known[app]} for app in sorted(known)])
        if peers.data[self._charm.app].get("secrets", "[]") != text:
            peers.data[self._charm.app]["secrets"] = text
