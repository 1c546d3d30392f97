"""The charm's config, read as a project of the ``dockerfile`` interface."""

import re
import shlex
from collections.abc import Mapping
from typing import Any

import pydantic
import yaml
from charms.docker_build_hook.v0 import dockerfile

_PORT = re.compile(r"(\d{1,5}):(\d{1,5})(?:/(http|tcp|udp))?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LAST_PART = re.compile(r"([^/:]+?)(?:\.git)?/*$")
_HEALTH = "health-"
_LIMIT = "limit-"
_FOLDER_OF_2015 = "/home/ubuntu/dockerfile"
_PLAIN = (
    "ref", "tags", "branches", "strategy", "provider", "allow-sha1", "after-ci",
    "cancel-running", "stop-grace-period", "drain", "watch", "image", "environment-secret",
    "access-secret", "build-secret",
)  # fmt: skip

Options = Mapping[str, str | int | float | bool]


class OptionError(Exception):
    """An option cannot be used.

    Args:
        option: its name.
        reason: what is wrong with it.
        example: a value that would do.

    """

    def __init__(self, option: str, reason: str, example: str) -> None:
        super().__init__(reason)
        self.option = option
        self.reason = reason
        self.example = example

    def fix(self, app: str) -> str:
        """The whole sentence for an operator."""
        return f"Config {self.option}: {self.reason}. Use: juju config {app} {self.example}"


def read(options: Options, app: str) -> dockerfile.Project:
    """The project that the config describes.

    Raises:
        OptionError: naming the first option that cannot be used.

    """
    repository = str(options.get("repository", "")).strip()
    if not repository and not options.get("image"):
        raise OptionError("repository", "is not set", "repository=URL")
    lists = {
        "ports": _ports(options),
        "environment": _variables(options, "environment"),
        "volumes": _lines(options, "volumes"),
        "command": _command(options),
        "paths": _lines(options, "paths"),
        "allow_from": _lines(options, "allow-from"),
        "skip_words": _lines(options, "skip-words"),
        "service": _service(options),
        "settings": _yaml(options, "settings", "{cancel_running: true}"),
    }
    plain = {key.replace("-", "_"): options[key] for key in _PLAIN if _is_said(options.get(key))}
    fields = {key: value for key, value in lists.items() if value} | plain
    build, health = _build(options), _health(options)
    try:
        project = dockerfile.Project(
            name=app,
            repository=repository,
            build=build,
            health=health,
            **fields,  # pyright: ignore[reportArgumentType]
        )
        return _scripted(project, options)
    except pydantic.ValidationError as error:
        fault = error.errors()[0]
        option = str(fault["loc"][0]).replace("_", "-")
        raise OptionError(option, fault["msg"], f"{option}=VALUE") from error


def _scripted(project: dockerfile.Project, options: Options) -> dockerfile.Project:
    """As in 2015, a build script is what builds, unless another strategy is asked for."""
    script = _text(options, "build-script")
    if script is None or project.strategy not in (None, "script"):
        return project
    path = _text(options, "path")
    given = {"build": script, **({"path": path} if path else {})}
    return dockerfile.scripted(project, {**given, **(project.settings or {}).get("script", {})})


def scripts(options: Options) -> dockerfile.Scripts:
    """The keys of 2015."""
    found = _LAST_PART.search(str(options.get("repository", "")).strip())
    folder = str(options.get("path") or _FOLDER_OF_2015).rstrip("/")
    return dockerfile.Scripts(
        build_script=str(options.get("build-script", "")),
        local_path=f"{folder}/{found[1]}" if found else "",
    )


def _build(options: Options) -> dockerfile.Build | None:
    timeout = options.get("build-timeout")
    build = dockerfile.Build(
        context=_text(options, "context"),
        dockerfile=_text(options, "dockerfile"),
        args=_variables(options, "build-args") or None,
        target=_text(options, "build-target"),
        timeout=float(timeout) if timeout is not None else None,
    )
    return None if build == dockerfile.Build() else build


def _health(options: Options) -> dockerfile.Health | None:
    given = _grouped(options, _HEALTH)
    return dockerfile.Health.model_validate(given) if given else None


def _service(options: Options) -> dict[str, Any]:
    """The run settings, and the limits that have options of their own, where it sets none."""
    given = _yaml(options, "service", "{init: true}")
    limits = _grouped(options, _LIMIT)
    return _under(given, {"deploy": {"resources": {"limits": limits}}}) if limits else given


def _under(given: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """What is given, and more of it where it says nothing."""
    both = {**more, **given}
    for key in more.keys() & given.keys():
        if isinstance(more[key], dict) and isinstance(given[key], dict):
            both[key] = _under(given[key], more[key])
    return both


def _grouped(options: Options, prefix: str) -> dict[str, object]:
    """The options that begin so, by the rest of their names."""
    return {
        key.removeprefix(prefix).replace("-", "_"): value
        for key, value in options.items()
        if key.startswith(prefix) and value != ""
    }


def _ports(options: Options) -> tuple[dockerfile.Port, ...]:
    ports: list[dockerfile.Port] = []
    shared = {"hosts": _words(options, "hosts"), "certificates": _words(options, "certificates")}
    for word in _words(options, "ports") or ():
        found = _PORT.fullmatch(word)
        if found is None:
            raise OptionError(
                "ports",
                f"{word!r} is not PUBLISHED:TARGET, PUBLISHED:TARGET/tcp or PUBLISHED:TARGET/udp",
                'ports="9000:80"',
            )
        published, target, protocol = found.groups()
        kind = {"protocol": "udp"} if protocol == "udp" else {**shared, "app_protocol": protocol}
        port = {"target": int(target), "published": int(published), **kind}
        ports.append(dockerfile.Port.model_validate(port))
    return tuple(ports)


def _words(options: Options, option: str) -> tuple[str, ...] | None:
    return tuple(str(options.get(option, "")).replace(",", " ").split()) or None


def _variables(options: Options, option: str) -> tuple[dockerfile.Variable, ...]:
    variables: list[dockerfile.Variable] = []
    for line in _lines(options, option):
        name, equals, value = line.partition("=")
        if not equals or not _NAME.fullmatch(name):
            raise OptionError(
                option, f"{line!r} is not NAME=value, one a line", f'{option}="NAME=value"'
            )
        variables.append(dockerfile.Variable(name=name, value=value))
    names = [variable.name for variable in variables]
    if len(names) != len(set(names)):
        raise OptionError(option, "sets one name twice", f'{option}="NAME=value"')
    return tuple(variables)


def _command(options: Options) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(str(options.get("command", ""))))
    except ValueError as error:
        raise OptionError("command", str(error), "command='program \"an argument\"'") from error


def _yaml(options: Options, option: str, example: str) -> dict[str, Any]:
    example = f'{option}="{example}"'
    try:
        given = yaml.safe_load(str(options.get(option, ""))) or {}
    except yaml.YAMLError as error:
        raise OptionError(option, "is not YAML", example) from error
    if not isinstance(given, dict) or not all(isinstance(key, str) for key in given):
        raise OptionError(option, "is not a mapping of names and values", example)
    return given


def _lines(options: Options, option: str) -> tuple[str, ...]:
    lines = (line.strip() for line in str(options.get(option, "")).splitlines())
    return tuple(line for line in lines if line)


def _is_said(value: object) -> bool:
    """Whether an option says anything: the number 0 does, an empty text or a false does not."""
    return value is not None and value != "" and value is not False


def _text(options: Options, option: str) -> str | None:
    return str(options.get(option, "")).strip() or None
