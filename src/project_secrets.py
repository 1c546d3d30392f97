"""The secrets that projects bring: Juju secrets by id become files, and fields that name them."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import ops
from charms.docker_build_hook.v0 import dockerfile

import config
import machine
import service

Content = Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class SecretFile:
    """One file of the product's folder of secrets, and the only process that reads it."""

    name: str
    value: str = dataclasses.field(repr=False)
    reader: Literal["web", "worker"] = "worker"


@dataclasses.dataclass(frozen=True)
class Own:
    """What one project's secrets come to; ``problem`` says why they cannot be used."""

    files: tuple[SecretFile, ...] = ()
    fields: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    problem: str | None = None


class _UnusableError(ValueError):
    """A secret cannot be read, or has not the keys that it should."""


def read(model: ops.Model, request: dockerfile.Request, app: str) -> Own:
    """What the project's secrets hold; ``app`` is who they have to be granted to."""
    if request.project is None:
        return Own()
    files: list[SecretFile] = []
    fields: dict[str, Any] = {}
    try:
        for option, understand in _KINDS.items():
            secret_id = getattr(request.project, option)
            if secret_id is None:
                continue
            content = _content(model, secret_id, option, app)
            found = understand(content, f"{service.SECRET_PREFIX}{request.app}", option)
            files += found.files
            fields |= found.fields
    except _UnusableError as error:
        return Own(problem=str(error))
    return Own(tuple(files), fields)


def write(
    wanted: config.Config,
    secrets: Iterable[SecretFile],
    named: frozenset[str] = frozenset(),
) -> frozenset[str]:
    """Write each secret into a file that one process can read, and remove those of before.

    What is ``named`` stays, though it is not to be had at the moment. Returns the names of
    those that were there with another content.
    """
    folder, names, changed = wanted.product.secrets, set[str](), set[str]()
    for secret in secrets:
        owner = config.WEB_USER if secret.reader == "web" else wanted.user
        path, names = folder / secret.name, names | {secret.name}
        was_there = path.exists()
        if machine.ensure_file(path, secret.value, 0o600, owner, service.GROUP) and was_there:
            changed.add(secret.name)
    for path in folder.glob(f"{service.SECRET_PREFIX}*"):
        if path.name not in names | named:
            path.unlink()
    return frozenset(changed)


def _content(model: ops.Model, secret_id: str, option: str, app: str) -> Content:
    try:
        # Refreshed, so that Juju tells of the next change.
        return model.get_secret(id=secret_id).get_content(refresh=True)
    except (ops.SecretNotFoundError, ops.ModelError) as error:
        raise _UnusableError(
            f"{_name(option)} cannot be read: juju grant-secret {secret_id} {app}"
        ) from error


def _environment(content: Content, prefix: str, option: str) -> Own:
    lines = _only(content, option, {"environment"})["environment"].strip()
    name = f"{prefix}.env"
    return Own((SecretFile(name, f"{lines}\n"),), {"env_file": [name]})


def _access(content: Content, prefix: str, option: str) -> Own:
    given = dict(_only(content, option, {*_ACCESS, "access-user"}))
    user = given.pop("access-user", None)
    # A private key has to end with the end of a line.
    files = tuple(SecretFile(f"{prefix}.{key}", f"{v.strip()}\n") for key, v in given.items())
    fields = {_ACCESS[key]: f"{prefix}.{key}" for key in given}
    return Own(files, {**fields, "access_user": user.strip()} if user else fields)


def _build(content: Content, prefix: str, _: str) -> Own:
    names = {key: f"{prefix}.build.{key}" for key in content}
    files = tuple(SecretFile(names[key], value) for key, value in content.items())
    secrets = [{"source": name, "target": key} for key, name in names.items()]
    return Own(files, {"build": {"secrets": secrets}})


def _only(content: Content, option: str, known: set[str]) -> Content:
    strange = sorted(content.keys() - known)
    if strange or not content:
        said = f"has the key {strange[0]}" if strange else "is empty"
        raise _UnusableError(f"{_name(option)} {said}; it takes {', '.join(sorted(known))}")
    return content


def _name(option: str) -> str:
    return option.replace("_", "-")


_ACCESS = {
    "deploy-key": "deploy_key",
    "access-token": "access_token",
    "registry-login": "registry_login",
}
_KINDS: dict[str, Callable[[Content, str, str], Own]] = {
    "environment_secret": _environment,
    "access_secret": _access,
    "build_secret": _build,
}
