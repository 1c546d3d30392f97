"""The OpenAPI document, written from the table of calls."""

from typing import Any

from pydantic import json_schema

from build_hook import __version__, project
from build_hook.store import tokens
from build_hook.web.api import models, routes

_REF = "#/components/schemas/{model}"
_EVENT: dict[str, Any] = {
    "type": "object",
    "description": "one event: lines of the log, and then the build's end",
    "properties": {
        "event": {"enum": ["end", "error"], "description": "none: data is lines of the log"},
        "id": {"type": "string", "description": "send it as Last-Event-ID to go on from there"},
        "data": {"type": "string"},
    },
    "required": ["data"],
}
_WORDS = {
    400: "not HTTP as it should be",
    401: "no good token",
    403: "the token's scope is too small",
    404: "there is none",
    409: "not as things stand",
    413: "the body is too large",
    415: "the body is not JSON",
    422: "not understood",
    429: "too many calls without a good token from this address",
    503: "not now",
}


def document() -> dict[str, Any]:
    """The API, as OpenAPI 3.1."""
    schemas = _Schemas()
    paths: dict[str, dict[str, Any]] = {}
    for route in routes.ROUTES:
        operation = _operation(route, schemas)
        paths.setdefault(routes.PREFIX + route.path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "build-hook",
            "version": __version__,
            "description": "Projects, builds and deliveries. A call needs a token whose scope "
            "is x-scope or more: read, deploy, admin.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas.all(),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "made by build-hook token create NAME --scope SCOPE",
                }
            },
        },
        "x-scopes": [str(scope) for scope in tokens.Scope],
    }


class _Schemas:
    """The schemas of all models, by the name they have in the document."""

    def __init__(self) -> None:
        used: list[tuple[type[models.Asked] | type[models.Given], str]] = [
            (models.Refusal, "serialization")
        ]
        for route in routes.ROUTES:
            used += [(route.query, "validation")]
            used += [(route.body, "validation")] if route.body else []
            used += [(route.gives, "serialization")] if route.gives else []
        inputs: Any = list(dict.fromkeys(used))
        self._by_model, defined = json_schema.models_json_schema(inputs, ref_template=_REF)
        self._defined: dict[str, Any] = defined["$defs"]

    def ref(self, model: type[models.Asked] | type[models.Given]) -> dict[str, Any]:
        """Where a model is described."""
        mode = "validation" if issubclass(model, models.Asked) else "serialization"
        by_model: Any = self._by_model
        return by_model[model, mode]

    def fields(self, model: type[models.Asked]) -> dict[str, Any]:
        """The fields of a model."""
        name = self.ref(model)["$ref"].rpartition("/")[2]
        return self._defined[name].get("properties", {})

    def all(self) -> dict[str, Any]:
        """What the document's components hold."""
        return self._defined


def _operation(route: routes.Route, schemas: _Schemas) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "security": [{"token": [str(route.scope)]}],
        "x-scope": str(route.scope),
        "parameters": [*_path(route), *_query(route, schemas)],
        "responses": _responses(route, schemas),
    }
    if route.body is not None:
        content = {"application/json": {"schema": schemas.ref(route.body)}}
        found["requestBody"] = {"required": False, "content": content}
    return found


def _path(route: routes.Route) -> list[dict[str, Any]]:
    schemas: dict[str, dict[str, Any]] = {
        "id": {"type": "integer", "minimum": 1, "maximum": models.BIGGEST_ID},
        "name": {"type": "string", "pattern": project.NAME},
    }
    return [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name, schema in schemas.items()
        if f"{{{name}}}" in route.path
    ]


def _query(route: routes.Route, schemas: _Schemas) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": schema.get("description", ""),
            "schema": _without_null(schema),
        }
        for name, schema in schemas.fields(route.query).items()
    ]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter's schema: one that is left out is no null on the wire."""
    plain = {k: v for k, v in schema.items() if k not in ("title", "description", "anyOf")}
    if "anyOf" in schema:
        plain.update(next(choice for choice in schema["anyOf"] if choice.get("type") != "null"))
        plain.pop("default", None)
    return plain


def _responses(route: routes.Route, schemas: _Schemas) -> dict[str, Any]:
    refusal = {"application/json": {"schema": schemas.ref(models.Refusal)}}
    good: dict[str, Any] = {"description": route.summary, "content": _content(route, schemas)}
    bad = {
        str(status): {"description": _WORDS[status], "content": refusal} for status in route.errors
    }
    return {str(route.status): good, **bad}


def _content(route: routes.Route, schemas: _Schemas) -> dict[str, Any]:
    if route.gives is not None:
        return {"application/json": {"schema": schemas.ref(route.gives)}}
    return {
        "text/plain": {"schema": {"type": "string"}},
        "text/event-stream": {"schema": _EVENT},
    }
