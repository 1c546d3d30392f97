"""From the words of ``add`` to an entry of the registry."""

from collections.abc import Iterable
from typing import Any

import click

from build_hook import project

_BY_SERVICE = "by service where there is a compose file, such as web={}"


def of(given: dict[str, Any], secret: str) -> project.Project:
    """The project that somebody describes.

    Raises:
        BadParameter: if an option is not in its form.
        ValidationError: if a value cannot be.
    """
    return project.Project.model_validate(
        {
            "name": given["name"],
            "repository": given["repository"] or "",
            "image": given["image"],
            "registry_login": given["registry_login"],
            "ref": given["ref"],
            "match": given["match"],
            "submodules": given["submodules"],
            "lfs": given["lfs"],
            "deploy_key": given.get("deploy_key"),
            "access_token": given.get("access_token"),
            "access_user": given["access_user"],
            **_strategy(given["script"]),
            **(_services(given) if is_composed(given) else _alone(given)),
            "webhook_secrets": [secret],
            "environment": _pairs(given["env"]),
            "secrets": [_secret(text) for text in given["secret"]],
            "volumes": given["volume"],
            "build": {
                "context": given["context"],
                "dockerfile": given["dockerfile"],
                "args": _pairs(given["build_arg"]),
            },
        }
    )


def is_composed(given: dict[str, Any]) -> bool:
    """Whether it is a project of several containers."""
    return given["compose"] or given["compose_file"] is not None


def _alone(given: dict[str, Any]) -> dict[str, Any]:
    """What is published of one container, and how it proves itself."""
    for option in ("allow", "profile"):
        if given[option]:
            raise click.UsageError(f"--{option} is about a compose file: give --compose too.")
    for option in ("publish", "health"):
        if any("=" in text for text in given[option]):
            raise click.UsageError(f"--{option} names a service: give --compose too.")
    return {
        "ports": [{**_port(text), **_routing(given)} for text in given["publish"]],
        "health": {"path": _only(given["health"], "--health")},
    }


def _services(given: dict[str, Any]) -> dict[str, Any]:
    """The same by service."""
    services: dict[str, dict[str, Any]] = {}
    for text in given["publish"]:
        name, rest = _of_service(text, "--publish", "8080:8000")
        ports = services.setdefault(name, {}).setdefault("ports", [])
        ports.append({**_port(rest), **_routing(given)})
    for text in given["health"]:
        name, rest = _of_service(text, "--health", "/up")
        services.setdefault(name, {})["health"] = {"path": rest}
    return {
        "compose": {
            "file": given["compose_file"],
            "profiles": given["profile"],
            "allow": given["allow"],
            "services": services,
        }
    }


def _of_service(text: str, option: str, example: str) -> tuple[str, str]:
    name, equals, rest = text.partition("=")
    if not equals:
        raise click.BadParameter(
            f"{text!r} must be {_BY_SERVICE.format(example)}", None, None, option
        )
    return name, rest


def _only(given: Iterable[str], option: str) -> str | None:
    """The last one that was given."""
    return next(reversed([*given]), None)


def _strategy(script: str | None) -> dict[str, Any]:
    return {"strategy": "script", "script": {"build": script}} if script else {}


def _port(text: str) -> dict[str, Any]:
    numbers, _, protocol = text.partition("/")
    published, _, target = numbers.rpartition(":")
    port = {"published": published, "target": target}
    if protocol == "udp":
        return {**port, "protocol": protocol}
    return {**port, "app_protocol": protocol or "http"}


def _secret(text: str) -> dict[str, str | None]:
    name, _, target = text.partition(":")
    return {"source": name, "target": target or None}


def _routing(given: dict[str, Any]) -> dict[str, Any]:
    return {
        "hosts": given["host"],
        "certificates": given["certificate"],
        "redirect_from": given["redirect_from"],
    }


def _pairs(texts: Iterable[str]) -> dict[str, str]:
    wrong = [text for text in texts if "=" not in text]
    if wrong:
        raise click.BadParameter(f"{wrong[0]!r} is not KEY=VALUE")
    return dict(text.split("=", 1) for text in texts)
