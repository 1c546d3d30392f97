"""The registry file: all projects, written whole, last good kept.

It is the one place where Juju and the engine meet: charms (or ``build-hook add``) write it,
web and worker read it.
"""

import collections
import dataclasses
import json
import os
import pathlib
import tempfile
from typing import Any, Literal

import pydantic

from build_hook import claims, errors, part, project, settings, values


class Registry(values.Value):
    """The file's contents."""

    version: Literal[1] = pydantic.Field(default=1, description="format of the file")
    projects: tuple[project.Project, ...] = pydantic.Field(
        default=(), description="what is built, in the order in which it is listed"
    )

    @pydantic.model_validator(mode="after")
    def _unique(self) -> "Registry":
        _refuse_twice("project name", [p.name for p in self.projects])
        several = (p for p in self.projects if p.deploy.replicas > 1)
        if once := next((p for p in several if p.strategy != "rolling"), None):
            raise ValueError(
                f"{once.name}: strategy {once.strategy} runs one container: "
                "deploy.replicas must be 1"
            )
        problem = claims.conflict(part.units(self.projects))
        if problem is not None:
            raise ValueError(problem)
        return self

    def find(self, name: str) -> project.Project | None:
        """The project of that name."""
        return next((p for p in self.projects if p.name == name), None)

    def is_active(self, name: str) -> bool:
        """Whether there is such a project, and it is built."""
        found = self.find(name)
        return found is not None and not found.kept

    @property
    def active(self) -> tuple[project.Project, ...]:
        """Those that are built; the others have left, and what serves of them is kept."""
        return tuple(p for p in self.projects if not p.kept)

    def news(self, before: "Registry") -> set[str]:
        """Where what is built comes from, if it was not in ``before`` or said something else."""
        known = {p.name: p for p in before.projects}
        return {p.origin for p in self.active if known.get(p.name) != p}


_Seen = tuple[int, int, int] | None


@dataclasses.dataclass(slots=True)
class Reader:
    """Reads the file when it has changed; the last good contents stay when it is bad or gone.

    ``keep`` writes them beside the file, so that they outlast a restart as well.
    """

    path: pathlib.Path
    current: Registry = dataclasses.field(default_factory=Registry)
    problem: str | None = None
    _seen: _Seen | Literal["never"] = "never"

    @property
    def is_outdated(self) -> bool:
        """Whether the file is another one than was read."""
        return self._stat() != self._seen

    def refresh(self) -> bool:
        """Look at the file again; True if other projects are in force than before."""
        seen = self._stat()
        if seen == self._seen:
            return False
        is_first, self._seen = self._seen == "never", seen
        new, self.problem = self._read()
        if new is None and is_first:
            new = self._kept()
        if new is None or new == self.current:
            return False
        self.current = new
        return True

    def keep(self) -> None:
        """Remember what is in force, if the file says so."""
        if self.problem is None and self._stat() is not None:
            save(_good(self.path), self.current)

    def _read(self) -> tuple[Registry | None, str | None]:
        try:
            if self._seen is None and _good(self.path).exists():
                raise errors.RegistryError(
                    f"{self.path} is gone",
                    "Put it back; what it said last stays in force. To start from nothing, "
                    f"remove {_good(self.path).name} as well",
                )
            return load(self.path), None
        except errors.RegistryError as error:
            return None, str(error)

    def _kept(self) -> Registry | None:
        try:
            return load(_good(self.path))
        except errors.RegistryError:
            return None

    def _stat(self) -> _Seen:
        try:
            stat = self.path.stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_mtime_ns, stat.st_size


def _good(path: pathlib.Path) -> pathlib.Path:
    return path.with_name(f"{path.stem}.good{path.suffix}")


def load(path: pathlib.Path) -> Registry:
    """Read and check the file; a missing one is an empty registry.

    Raises:
        RegistryError: if it is not what the schema says.
    """
    try:
        return Registry.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Registry()
    except OSError as error:
        raise errors.RegistryError(f"{path} cannot be read: {error.strerror}") from error
    except pydantic.ValidationError as error:
        message, hint = settings.explain(error, "registry")
        raise errors.RegistryError(message, f"{hint}; the last good one stays in force") from error


def save(path: pathlib.Path, registry: Registry) -> bool:
    """Write the file whole, if it says something new.

    A crash leaves the old file or the new one: temporary file, fsync, rename, fsync of the
    folder. Returns whether it was written.
    """
    text = registry.model_dump_json(indent=2, exclude_defaults=True)
    body = json.loads(text)
    content = json.dumps({"version": registry.version, **body}, indent=2).encode() + b"\n"
    if path.exists() and path.read_bytes() == content:
        return False
    _replace(path, content)
    return True


def schema() -> dict[str, Any]:
    """The JSON Schema of the file, as it is kept in ``registry.schema.json``."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Registry.model_json_schema(),
    }


def _replace(path: pathlib.Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), 0o640)
            os.fsync(file.fileno())
        os.replace(name, path)
    except OSError:
        pathlib.Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _refuse_twice(what: str, values: list[Any]) -> None:
    twice = sorted(str(v) for v, count in collections.Counter(values).items() if count > 1)
    if twice:
        raise ValueError(f"{what} used twice: {', '.join(twice)}")
