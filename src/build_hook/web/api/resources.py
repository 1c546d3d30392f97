"""From the table of calls to what Falcon routes to."""

import asyncio
import concurrent.futures
import functools
import json
import re
import types
from typing import Any, TypeVar

import falcon.asgi
import pydantic

from build_hook import project
from build_hook.store import records
from build_hook.web import answers, body, limiter, web_log
from build_hook.web.api import access, call, find, logs, models, openapi, parts, routes

# Calls wait for each other here and never for deliveries.
THREADS = 2
LONGEST_BODY = 64 * 1024
_CONVERTERS = {"{id}": f"{{id:int(min=1, max={models.BIGGEST_ID})}}"}
_NAME = re.compile(project.NAME)

_Model = TypeVar("_Model", bound=models.Asked)


class Api:
    """The resources of ``/api/v1``."""

    def __init__(self, of: parts.Parts, failures: limiter.Limiter) -> None:
        self._parts = of
        self._access = access.Access(lambda: of.tokens, failures)
        self._threads = concurrent.futures.ThreadPoolExecutor(THREADS, "api")
        self._streams = logs.Streams(self._phase)

    def add_to(self, app: falcon.asgi.App[Any, Any]) -> None:
        """Register every call."""
        resources: dict[str, types.SimpleNamespace] = {}
        for route in routes.ROUTES:
            resource = resources.setdefault(_template(route), types.SimpleNamespace())
            responder = functools.partial(self._respond, route)
            setattr(resource, f"on_{route.method.lower()}", _as_coroutine(responder))
        for template, resource in resources.items():
            app.add_route(template, resource)
        app.add_route(f"{routes.PREFIX}/openapi.json", _Document())

    def close(self) -> None:
        """Let the calls under way end, then let go of the database."""
        self._threads.shutdown()
        self._parts.close()

    async def _respond(
        self,
        route: routes.Route,
        request: falcon.asgi.Request,
        response: falcon.asgi.Response,
        **path: Any,
    ) -> None:
        result = await self._in_thread(self._act, route, request, path)
        response.status = route.status
        response.set_header("Cache-Control", "no-store")
        if isinstance(result, logs.Log):
            self._streams.send(result, request, response)
        else:
            response.data = result.model_dump_json().encode()

    def _act(
        self, route: routes.Route, request: falcon.asgi.Request, path: dict[str, Any]
    ) -> models.Given | logs.Log:
        token = self._access.admit(
            request.get_header("Authorization"), request.remote_addr, route.scope
        )
        asked = _query(route, request)
        if route.body is not None:
            asked = _body(route.body, request)
        made = call.Call(
            path=_checked(path),
            asked=asked,
            actor=token.name,
            resume=_resume(request),
            build_url=functools.partial(self._parts.link.build, request),
            delivery_url=functools.partial(self._parts.link.delivery, request),
        )
        with find.refusing(503):
            result = route.act(self._parts, made)
        if route.method != "GET":
            web_log.write(
                "order", call=route.name, token=token.name, remote=request.remote_addr, **path
            )
        return result

    async def _phase(self, build: int) -> records.Phase:
        found = await self._in_thread(lambda: self._parts.builds.get(build))
        return found.phase

    async def _in_thread(self, function: Any, *arguments: Any) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, function, *arguments)


class _Document:
    """``GET /api/v1/openapi.json``, for everybody."""

    def __init__(self) -> None:
        # before the processes part, so that it is in memory once
        self._written = json.dumps(openapi.document(), separators=(",", ":")).encode()

    async def on_get(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        """Send the OpenAPI document."""
        response.data = self._written


def _template(route: routes.Route) -> str:
    template = routes.PREFIX + route.path
    for variable, converter in _CONVERTERS.items():
        template = template.replace(variable, converter)
    return template


def _as_coroutine(responder: Any) -> Any:
    async def respond(request: Any, response: Any, **path: Any) -> None:
        await responder(request, response, **path)

    return respond


def _checked(path: dict[str, Any]) -> dict[str, Any]:
    if "name" in path and not _NAME.fullmatch(path["name"]):
        raise answers.RefusedError(
            404, "No project has this name", "GET /api/v1/projects lists them"
        )
    return path


def _query(route: routes.Route, request: falcon.asgi.Request) -> models.Asked:
    try:
        return route.query.model_validate(request.params)
    except pydantic.ValidationError as error:
        raise _not_understood("query", error) from error


def _body(model: type[_Model], request: falcon.asgi.Request) -> _Model:
    whole: body.Body = request.scope[body.SCOPE_KEY]
    if whole.size > LONGEST_BODY:
        raise answers.RefusedError(
            413, f"The body is larger than {LONGEST_BODY // 1024} KiB", "Send what is documented"
        )
    raw = whole.load()
    if not raw:
        return model()
    if (request.content_type or "").partition(";")[0].strip().lower() != "application/json":
        raise answers.RefusedError(
            415, "The body is not JSON", "Send it with Content-Type: application/json"
        )
    try:
        return model.model_validate_json(raw, strict=True)
    except pydantic.ValidationError as error:
        raise _not_understood("body", error) from error


def _not_understood(what: str, error: pydantic.ValidationError) -> answers.RefusedError:
    faults = "; ".join(
        f"{'.'.join(str(part) for part in fault['loc']) or what}: {fault['msg']}"
        for fault in error.errors(include_url=False, include_input=False, include_context=False)[
            :5
        ]
    )
    return answers.RefusedError(
        422, f"The {what} cannot be used: {faults}", "GET /api/v1/openapi.json says what can"
    )


def _resume(request: falcon.asgi.Request) -> int:
    """The byte after which a client that was cut off goes on."""
    last = request.get_header("Last-Event-ID") or ""
    return int(last) if re.fullmatch(r"[0-9]{1,15}", last) else 0
