"""One call of the API: what was asked, by whom, and how links look to them."""

import dataclasses
from collections.abc import Callable
from typing import Any

from build_hook.store import archive, builds, deliveries
from build_hook.web.api import delivered, models


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """A call that was admitted and understood.

    ``path`` holds the variables of its address, ``asked`` its body or else its query, ``actor``
    the name of its token.
    """

    path: dict[str, Any]
    asked: Any
    actor: str
    resume: int
    build_url: Callable[[int], str]
    delivery_url: Callable[[int], str]

    def build(self, of: builds.Build) -> dict[str, Any]:
        """The fields of a build; not its settings, they hold the environment."""
        url = self.build_url(of.id)
        fields = {name: getattr(of, name) for name in _BUILD_FIELDS}
        return {**fields, "url": url, "log": f"{url}/log"}

    def queued(self, of: deliveries.Queued) -> delivered.Queued:
        """A build that a delivery asked for."""
        return delivered.Queued(
            id=of.id, project=of.project, commit=of.commit, url=self.build_url(of.id)
        )

    def delivery(self, of: archive.Kept) -> dict[str, Any]:
        """The fields of a delivery that say nothing of the sender."""
        return {
            "id": of.id,
            "received": of.received,
            "provider": of.provider,
            "event": of.event,
            "delivery_id": of.delivery_id,
            "verified": of.verified,
            "secret": of.secret,
            "size": of.size,
            "matches": tuple(delivered.Match.model_validate(match) for match in of.matches),
            "builds": tuple(self.queued(build) for build in of.builds),
            "url": self.delivery_url(of.id),
        }


_BUILD_FIELDS = tuple(models.Build.model_fields.keys() - {"url", "log"})
