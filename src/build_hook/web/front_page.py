"""``GET /``: the registered hooks for everybody, and their services for who has a token."""

import asyncio
from typing import Any

import falcon.asgi

from build_hook import makeup, project
from build_hook.deploy import sightings
from build_hook.store import tokens
from build_hook.web import answers, limiter, listing
from build_hook.web.api import access, find, parts


class FrontPage:
    """Lists names, repositories and branches; no paths and no commands."""

    def __init__(self, of: parts.Parts, failures: limiter.Limiter) -> None:
        self._parts = of
        self._access = access.Access(lambda: of.tokens, failures)

    async def on_get(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        """List all projects."""
        response.append_header("Vary", "Accept, Authorization")
        authorization = request.get_header("Authorization")
        hooks = [listing.hook(p) for p in self._parts.projects.registry.projects]
        if request.client_prefers(["application/json", "text/html"]) == "text/html":
            response.content_type = "text/html; charset=utf-8"
            response.set_header("Content-Security-Policy", "default-src 'none'")
            response.text = listing.page(hooks)
            return
        if authorization is not None:
            response.set_header("Cache-Control", "no-store")
            hooks = await asyncio.to_thread(self._told, authorization, request.remote_addr)
        response.data = answers.encode({"success": True, "hooks": hooks})

    def _told(self, authorization: str, address: str) -> list[dict[str, Any]]:
        self._access.admit(authorization, address, tokens.Scope.READ)
        seen = sightings.read(self._parts.options.run)
        with find.refusing(503):
            return [self._hook(p, seen) for p in self._parts.projects.registry.projects]

    def _hook(self, of: project.Project, seen: sightings.Seen) -> dict[str, Any]:
        if of.compose is None:
            return listing.hook(of)
        services = makeup.of_project(of.name, self._parts.builds, seen)
        return listing.hook(of) | {"services": [one.row for one in services]}
