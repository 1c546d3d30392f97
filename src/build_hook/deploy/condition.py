"""How the worker is, in a file for the other processes and for people."""

import json
import pathlib
from typing import Any

import pydantic

_NAME = "worker.json"


class Condition(pydantic.BaseModel):
    """What is wrong at the moment, and the build that ended last; empty when all is well."""

    model_config = pydantic.ConfigDict(frozen=True, extra="ignore")

    registry: str | None = None
    engine: str | None = None
    web: str | None = None
    projects: dict[str, str] = {}
    ended: int | None = None

    @property
    def whole(self) -> tuple[str, ...]:
        """What is wrong with no project in particular."""
        return tuple(filter(None, (self.registry, self.engine, self.web)))


def path(run: pathlib.Path) -> pathlib.Path:
    """The file; it changes whenever something in it does."""
    return run / _NAME


def write(run: pathlib.Path, condition: Condition) -> None:
    """Replace the file."""
    draft = run / f".{_NAME}"
    draft.write_text(condition.model_dump_json(), encoding="utf-8")
    draft.replace(path(run))


def read(run: pathlib.Path) -> Condition:
    """What the worker wrote last; all well if it never did."""
    try:
        found: Any = json.loads(path(run).read_text(encoding="utf-8"))
        return Condition.model_validate(found)
    except (OSError, ValueError):
        return Condition()
