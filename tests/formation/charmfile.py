"""A charm as the model sees it: a folder, and what its YAML files declare."""

import dataclasses
import pathlib
import zipfile
from typing import Any

import yaml

_TYPES = {"string": str, "int": int, "float": (int, float), "boolean": bool, "secret": str}
_SCHEMA_TYPES = {
    "string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list,
    "object": dict,
}  # fmt: skip
ROLES = ("provides", "requires", "peers")


class RefusedError(Exception):
    """What Juju would refuse, with its reason."""


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """One end that relations can be made of."""

    name: str
    interface: str
    role: str
    scope: str = "global"
    limit: int | None = None


class Charm:
    """A charm's folder, unpacked."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.metadata = self._yaml("metadata.yaml")
        self.options: dict[str, dict[str, Any]] = self._yaml("config.yaml").get("options", {})
        self.actions = self._yaml("actions.yaml")
        self.name: str = self.metadata["name"]
        self.is_subordinate = bool(self.metadata.get("subordinate"))
        self.endpoints = {"juju-info": Endpoint("juju-info", "juju-info", "provides")}
        for role in ROLES:
            for name, body in (self.metadata.get(role) or {}).items():
                self.endpoints[name] = Endpoint(
                    name, body["interface"], role, body.get("scope", "global"), body.get("limit")
                )

    def defaults(self) -> dict[str, Any]:
        """The options that have a value without anybody setting one."""
        return {
            name: option["default"]
            for name, option in self.options.items()
            if option.get("default") is not None
        }

    def check_option(self, name: str, value: object) -> None:
        """Refuse an option that is not there or of another type."""
        if name not in self.options:
            raise RefusedError(f'unknown option "{name}"')
        kind = self.options[name]["type"]
        if isinstance(value, bool) != (kind == "boolean") or not isinstance(value, _TYPES[kind]):
            raise RefusedError(f'option "{name}" expected {kind}, got {value!r}')
        if kind == "secret" and not str(value).startswith("secret:"):
            raise RefusedError(f'option "{name}" is no secret URI: {value!r}')

    def parameters(self, action: str, given: dict[str, Any]) -> dict[str, Any]:
        """An action's parameters, checked and with defaults."""
        if action not in self.actions:
            raise RefusedError(f'action "{action}" not defined on {self.name}')
        schema = self.actions[action]
        known = schema.get("params") or {}
        if missing := [n for n in schema.get("required", []) if n not in given]:
            raise RefusedError(f"missing parameter {missing[0]}")
        for name, value in given.items():
            if name not in known and schema.get("additionalProperties") is False:
                raise RefusedError(f"additional property {name} is not allowed")
            kind = known.get(name, {}).get("type")
            if kind and (
                not isinstance(value, _SCHEMA_TYPES[kind])
                or isinstance(value, bool) != (kind == "boolean")
            ):
                raise RefusedError(f"parameter {name} must be of type {kind}")
        defaults = {n: body["default"] for n, body in known.items() if "default" in body}
        return {**defaults, **given}

    def _yaml(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        return (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.exists() else {}


def unpack(archive: pathlib.Path, folder: pathlib.Path) -> Charm:
    """Unpack a packed charm, with the modes that it carries."""
    folder.mkdir(parents=True)
    with zipfile.ZipFile(archive) as packed:
        for entry in packed.infolist():
            path = pathlib.Path(packed.extract(entry, folder))
            if mode := (entry.external_attr >> 16) & 0o7777:
                path.chmod(mode)
    return Charm(folder)
