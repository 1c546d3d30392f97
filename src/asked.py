"""From what a project asks for to the fields of the registry, and what it cannot ask for."""

from collections.abc import Mapping, Sequence
from typing import Any

from charms.docker_build_hook.v0 import dockerfile

from build_hook.service import Service

_SECRET_IDS = {"environment_secret", "access_secret", "build_secret"}
_WITHOUT_FIELD = {"name", "service", "settings", *_SECRET_IDS}
_OF_THE_CHARM = {"name", "webhook_secrets", "allow_unsigned"}
# These name secrets of the machine, which belong to other projects: a project brings its own by
# the id of a Juju secret.
_SECRET_NAMES = {
    "webhook_secrets", "env_file", "deploy_key", "access_token", "registry_login", "secrets",
    "ssh",
}  # fmt: skip
_MAPS = {"environment", "args", "labels", "extra_hosts"}  # whose keys are anybody's


def fields(asked: dockerfile.Project, own: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the registry; ``own`` are those of the secrets that the project brings.

    Raises:
        ValueError: if something is asked for that is not the project's to say.
    """
    said = asked.model_dump(exclude=_WITHOUT_FIELD, exclude_none=True)
    for holder, name in ((said, "environment"), (said.get("build", {}), "args")):
        if name in holder:
            holder[name] = _map(name, holder[name])
    for part in (_service(asked), _settings(asked), own):
        said = _merged(said, part)
    return said


def _map(field: str, variables: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Lists of name and value become maps again."""
    if any("name" not in each for each in variables):
        raise ValueError(f"{field}: a value has no name")
    return {each["name"]: each["value"] for each in variables}


def _service(asked: dockerfile.Project) -> dict[str, Any]:
    given = asked.service or {}
    if unknown := sorted(given.keys() - Service.model_fields.keys()):
        raise ValueError(f"service: {unknown[0]} cannot be set")
    _refuse_secret_names("service", given)
    return given


def _settings(asked: dockerfile.Project) -> dict[str, Any]:
    given = asked.settings or {}
    if reserved := sorted(given.keys() & _OF_THE_CHARM):
        raise ValueError(f"settings: {reserved[0]} cannot be set")
    _refuse_secret_names("settings", given)
    return given


def _refuse_secret_names(where: str, given: Any) -> None:
    """Refuse such a name at any depth."""
    if isinstance(given, dict):
        for key, value in given.items():
            if key in _SECRET_NAMES:
                raise ValueError(f"{where}: {key} cannot be set; give a Juju secret instead")
            if key not in _MAPS:
                _refuse_secret_names(where, value)
    elif isinstance(given, list | tuple):
        for value in given:
            _refuse_secret_names(where, value)


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Both, the other first; what is a map in both is merged too."""
    merged = {**one, **other}
    for key in one.keys() & other.keys():
        if isinstance(one[key], dict) and isinstance(other[key], dict):
            merged[key] = _merged(one[key], other[key])
    return merged
