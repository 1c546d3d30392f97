"""Builders for tests of charms that speak ``dockerfile``: no test needs to know the wire.

``relation_for_project`` and ``relation_for_build_hook`` are what such a charm sees when it is
related to a well-behaved other side.
"""

import json
from typing import Any

import ops.testing

# Of our own making, since tools ask for one: the store gives another to a registered library.
LIBID = "b81d4c0f5a7e46d2933f7c60e5d2a914"
LIBAPI = 0
LIBPATCH = 1

REPOSITORY = "https://git.example.com/team/app.git"


def relation_for_project(
    endpoint: str = "project",
    *,
    app: str = "build-hook",
    secret_id: str | None = "secret:webhook",  # noqa: S107 - an id, not a secret
    **unit: Any,
) -> ops.testing.Relation:
    """The relation of a project charm to a build hook.

    Keyword arguments replace the build hook's unit fields (``webhook_url``, ``refused``,
    ``serving``, ``last``); None leaves a field out.
    """
    said = {"webhook_url": f"http://192.0.2.1:8080/hooks/{app}", **unit}
    return ops.testing.Relation(
        endpoint,
        "dockerfile",
        remote_app_name=app,
        remote_app_data=_json({"secret_id": secret_id}),
        remote_units_data={0: {**_ADDRESS, **_json(said)}},
    )


def relation_for_build_hook(
    endpoint: str = "project",
    *,
    app: str = "app",
    repository: str | None = REPOSITORY,
    machine: str | None = None,
    address: str = "192.0.2.0",
    **fields: Any,
) -> ops.testing.Relation:
    """The relation of a build hook to a project of today.

    Keyword arguments are fields of the project's application databag; ``machine`` is
    ``MODEL-UUID:ID`` of the project's only unit, None leaves the address to decide.
    """
    unit = {**_ADDRESS, "private-address": address}
    if machine is not None:
        unit["machine"] = machine
    return ops.testing.Relation(
        endpoint,
        "dockerfile",
        remote_app_name=app,
        remote_app_data=_json({"repository": repository, **fields}),
        remote_units_data={0: unit},
    )


def relation_of_2015(
    endpoint: str = "project", *, app: str = "app", address: str = "192.0.2.0", **raw: str
) -> ops.testing.Relation:
    """The relation of a build hook to a ``dockerfile`` charm of 2015: raw strings."""
    said = {"repository": REPOSITORY, "buildscript": "build.sh", "localpath": "/srv/app", **raw}
    return ops.testing.Relation(
        endpoint,
        "dockerfile",
        remote_app_name=app,
        remote_units_data={0: {**_ADDRESS, "private-address": address, **said}},
    )


_ADDRESS = {
    "egress-subnets": "192.0.2.0/32",
    "ingress-address": "192.0.2.0",
    "private-address": "192.0.2.0",
}


def _json(fields: dict[str, Any]) -> dict[str, str]:
    return {key: json.dumps(value) for key, value in fields.items() if value is not None}
