"""Which containers serve, as the worker saw them last, in a file for the other processes."""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

import pydantic

_NAME = "containers.json"


class Sighting(pydantic.BaseModel):
    """One container; ``health`` is None where it has no check of its own."""

    model_config = pydantic.ConfigDict(frozen=True, extra="ignore")

    id: str
    name: str
    replica: int = 1
    status: str = pydantic.Field(description="running, restarting, exited, ...: the engine's word")
    health: str | None = pydantic.Field(
        default=None, description="starting, healthy or unhealthy; null without a HEALTHCHECK"
    )


Seen = Mapping[str, tuple[Sighting, ...]]
"""Containers by what they serve: a project, or PROJECT.SERVICE."""

_SEEN = pydantic.TypeAdapter(dict[str, tuple[Sighting, ...]])


def write(run: pathlib.Path, seen: Seen) -> None:
    """Replace the file."""
    draft = run / f".{_NAME}"
    draft.write_bytes(_SEEN.dump_json(dict(seen)))
    draft.replace(run / _NAME)


def read(run: pathlib.Path) -> Seen:
    """What the worker wrote last; nothing if it never did."""
    try:
        found: Any = json.loads((run / _NAME).read_text(encoding="utf-8"))
        return _SEEN.validate_python(found)
    except (OSError, ValueError):
        return {}
