"""The secrets of a model as a whole: users' own, new revisions, and who is told of what."""

import uuid
from typing import TYPE_CHECKING

from tests.formation.entities import Event, Secret, Unit

if TYPE_CHECKING:
    from tests.formation.model import Model


class Vault:
    """Changes secrets, and queues the events that follow."""

    def __init__(self, model: "Model") -> None:
        self._model = model

    # --- what an operator does

    def add(self, content: dict[str, str], *apps: str) -> str:
        """Make a user secret and grant it to applications; its id."""
        secret = Secret(uuid.uuid4().hex[:20], "", {1: content})
        self._model.secrets[secret.id] = secret
        secret.grants |= {(None, app) for app in apps}
        return f"secret:{secret.id}"

    def grant(self, secret_id: str, app: str) -> None:
        """Grant a user secret; nobody is told."""
        self._model.secrets[secret_id.removeprefix("secret:")].grants.add((None, app))

    def update(self, secret_id: str, content: dict[str, str]) -> None:
        """Give a user secret another content."""
        self.revise(self._model.secrets[secret_id.removeprefix("secret:")], content)

    def expire(self, secret: Secret) -> None:
        """Let a secret's time be over."""
        if (owner := self._owner(secret)) is not None:
            event = Event("secret-expired", secret=secret.id, revision=secret.latest)
            owner.tell(event)

    # --- what follows

    def revise(self, secret: Secret, content: dict[str, str]) -> None:
        """Add a revision and tell those who read the one before."""
        secret.revise(content)
        owner = self._owner(secret)
        for name in secret.tracked:
            unit = self._model.apps[name.split("/")[0]].units.get(name)
            if unit is not None and unit is not owner:
                unit.tell(Event("secret-changed", secret=secret.id))

    def forget(self, secret: Secret, revision: int | None = None) -> None:
        """Remove a revision, or the whole secret."""
        if revision is not None:
            secret.revisions.pop(revision, None)
        if revision is None or not secret.revisions:
            self._model.secrets.pop(secret.id, None)

    def tell_of_outlived(self) -> None:
        """Tell owners, once, of the revisions that nobody reads any more."""
        for secret in self._model.secrets.values():
            if (owner := self._owner(secret)) is None:
                continue
            unread = secret.revisions.keys() - {secret.latest, *secret.tracked.values()}
            for revision in sorted(unread - secret.outlived):
                secret.outlived.add(revision)
                owner.tell(Event("secret-remove", secret=secret.id, revision=revision))

    def end_grants(self, relation: int) -> None:
        """A relation takes the grants with it that were made for it."""
        for secret in self._model.secrets.values():
            secret.grants = {grant for grant in secret.grants if grant[0] != relation}

    def end_of(self, unit: Unit) -> None:
        """A unit takes its own secrets with it, and reads no others any more."""
        for secret in list(self._model.secrets.values()):
            secret.tracked.pop(unit.name, None)
            if secret.owner == unit.name:
                self.forget(secret)

    def _owner(self, secret: Secret) -> Unit | None:
        """The unit that manages a secret now."""
        name = secret.owner if "/" in secret.owner else self._leader(secret.owner)
        app = self._model.apps.get((name or "").split("/")[0])
        return app.units.get(name or "") if app else None

    def _leader(self, app: str) -> str | None:
        return self._model.apps[app].leader if app in self._model.apps else None
