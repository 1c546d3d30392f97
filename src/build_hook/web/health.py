"""``GET /healthz``: whether a delivery would be taken now."""

import time
from typing import Protocol

import falcon.asgi

from build_hook.web import answers, catalogue, inbox

# A probe writes to the disk: many monitors share one.
PROBE_SECONDS = 2.0


class Store(Protocol):
    """What is asked whether it can write."""

    async def probe(self) -> None:
        """Write without changing anything."""
        ...


class Health:
    """Answers 200 or 503, and why."""

    def __init__(self, projects: catalogue.Catalogue, store: Store) -> None:
        self._projects = projects
        self._store = store
        self._database: str | None = None
        self._next_probe = float("-inf")

    async def on_get(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        """Tell the state of the parts."""
        await self._probe()
        problem = self._projects.problem
        good = self._database is None and problem is None
        response.status = 200 if good else 503
        response.set_header("Cache-Control", "no-store")
        response.data = answers.encode(
            {
                "ok": good,
                "database": self._database or "ok",
                "registry": problem or "ok",
                "projects": len(self._projects.registry.projects),
            }
        )

    async def _probe(self) -> None:
        if time.monotonic() < self._next_probe:
            return
        self._next_probe = time.monotonic() + PROBE_SECONDS
        try:
            await self._store.probe()
        except inbox.UnavailableError as error:
            self._database = error.message
        else:
            self._database = None
