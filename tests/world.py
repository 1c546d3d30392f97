"""Web over a real state folder, called without a network."""

import asyncio
from typing import Any

import falcon.testing

from benchmarks import signed_push
from build_hook import project, registry, secret_files, settings
from build_hook.store import database, session, tokens
from build_hook.web import app

SHOP = project.Project(
    name="shop",
    repository="https://github.example/octocat/shop.git",
    ref="main",
    webhook_secrets=("shop",),
)


class World:
    """An application over a real state folder."""

    def __init__(self, state, **options):
        self.options = settings.load(state, {f"BUILD_HOOK_{k}": v for k, v in options.items()})
        (self.options.secrets / "shop").write_bytes(signed_push.SECRET + b"\n")
        self.register(SHOP)
        self.files = secret_files.SecretFiles(self.options.secrets)

    def register(self, *projects):
        registry.save(self.options.registry, registry.Registry(projects=projects))

    def call(self, *calls) -> Any:
        """Send requests one after the other through one running application."""

        async def all_calls():
            application = app.get_app(self.options)
            async with falcon.testing.TestClient(application) as client:
                results.extend([await client.simulate_request(**call) for call in calls])

        results: list[falcon.testing.Result] = []
        asyncio.run(all_calls())
        return results[0] if len(results) == 1 else results

    def get(self, path, **headers):
        return self.call(get(path, **headers))

    def token(self, scope="admin", name=None, expires=None):
        """The headers that present a new token."""
        of = session.Session(self.options.database)
        try:
            _, secret = tokens.Tokens(of).create(name or scope, tokens.Scope(scope), expires)
        finally:
            of.close()
        return {"Authorization": f"Bearer {secret}"}

    def rows(self, sql):
        connection = database.connect(self.options.database)
        try:
            return [tuple(row) for row in connection.execute(sql)]
        finally:
            connection.close()


def get(path, **headers):
    return {"method": "GET", "path": path, "headers": headers}


def push(path="/hooks/shop", delivery="d-1", body=None, secret: Any = signed_push.SECRET, **more):
    body = signed_push.body() if body is None else body
    headers = {**signed_push.headers(body, delivery, secret=secret), **more}
    return {"method": "POST", "path": path, "body": body, "headers": headers}
