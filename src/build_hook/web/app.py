"""The application: which resource answers where, and who works with whom."""

import asyncio
import functools
import traceback
from collections.abc import Mapping
from typing import Any

import falcon
import falcon.asgi

from build_hook import addresses, registry, secret_files, settings, wake
from build_hook.proxy import entrance
from build_hook.web import (
    answers,
    body,
    catalogue,
    front_page,
    health,
    hooks,
    inbox,
    limiter,
    links,
    metrics,
    web_log,
)
from build_hook.web.api import parts, resources


def create_app(
    options: settings.Settings,
    projects: catalogue.Catalogue,
    store: inbox.Inbox,
    secrets: secret_files.SecretFiles,
) -> addresses.Behind:
    """Compose the application from its collaborators."""
    link = links.Links(options.public_url)
    failures = limiter.Limiter()
    collaborators = parts.Parts(options, projects, link)
    api = resources.Api(collaborators, failures)
    app = falcon.asgi.App(middleware=[_Life(options, projects, store, api)])
    door = hooks.Hooks(projects, secrets.read, store, link, failures, options)
    doors = _Doors(front_page.FrontPage(collaborators, failures), door)
    app.add_route("/", doors)
    app.add_route("/hooks/{project}", doors.hooks)
    app.add_route("/healthz", health.Health(projects, store))
    app.add_route("/metrics", metrics.Metrics(collaborators, failures))
    api.add_to(app)
    _tell_errors(app)
    intake = body.Intake(app, limit=int(options.max_body_mb * 2**20), folder=options.run)
    return addresses.Behind(intake, entrance.believed(options))


def get_app(options: settings.Settings) -> addresses.Behind:
    """Compose the application of one state folder; its thread starts with the server."""
    return create_app(
        options,
        catalogue.Catalogue(registry.Reader(options.registry)),
        inbox.Inbox(options.database, functools.partial(wake.send, options.run)),
        secret_files.SecretFiles(options.secrets),
    )


class _Doors:
    """``/`` lists on GET and takes deliveries on POST."""

    def __init__(self, front: front_page.FrontPage, door: hooks.Hooks) -> None:
        self.hooks = door
        self.on_get = front.on_get
        self.on_post = door.on_post


class _Life:
    """Starts and ends what lives as long as the process that serves."""

    def __init__(
        self,
        options: settings.Settings,
        projects: catalogue.Catalogue,
        store: inbox.Inbox,
        api: resources.Api,
    ) -> None:
        self._options = options
        self._projects = projects
        self._store = store
        self._api = api

    async def process_startup(self, scope: Mapping[str, Any], event: Mapping[str, Any]) -> None:
        """Begin to write; pushes may have been refused while nobody listened."""
        self._store.start()
        self._following = asyncio.create_task(self._projects.follow())
        wake.send(self._options.run, wake.Nudge.RECONCILE)
        web_log.write("start")

    async def process_shutdown(self, scope: Mapping[str, Any], event: Mapping[str, Any]) -> None:
        """Write what waits."""
        self._following.cancel()
        await asyncio.to_thread(self._api.close)
        await self._store.close()
        web_log.write("stop")


def _tell_errors(app: falcon.asgi.App[Any, Any]) -> None:
    app.add_error_handler(answers.RefusedError, _tell_refusal)
    app.add_error_handler(falcon.HTTPError, _tell_http_error)
    app.add_error_handler(Exception, _tell_fault)


async def _tell_refusal(
    request: falcon.asgi.Request,
    response: falcon.asgi.Response,
    error: answers.RefusedError,
    params: dict[str, Any],
) -> None:
    _tell(response, error.status, error.message, error.hint)
    for name, value in error.headers.items():
        response.set_header(name, value)
    web_log.write(
        "refused",
        status=error.status,
        remote=request.remote_addr,
        method=request.method,
        path=request.path,
        error=error.message,
    )


async def _tell_http_error(
    request: falcon.asgi.Request,
    response: falcon.asgi.Response,
    error: falcon.HTTPError,
    params: dict[str, Any],
) -> None:
    response.set_headers(error.headers or {})
    hint = _API_HINT if request.path.startswith("/api/") else _HINT
    _tell(response, error.status_code, error.title or "", error.description or hint)


async def _tell_fault(
    request: falcon.asgi.Request,
    response: falcon.asgi.Response,
    error: Exception,
    params: dict[str, Any],
) -> None:
    web_log.write(
        "fault",
        path=request.path,
        where=traceback.extract_tb(error.__traceback__)[-1],
        error=error,
    )
    _tell(response, 500, "The server made a mistake", "Report it with the lines of its log")


def _tell(response: falcon.asgi.Response, status: int, message: str, hint: str) -> None:
    response.status = status
    response.content_type = "application/json"
    response.data = answers.error(message, hint)


_API_HINT = "GET /api/v1/openapi.json lists the calls"
_HINT = "POST deliveries to /hooks/PROJECT; GET / lists the projects"
