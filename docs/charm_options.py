"""The options of the docker-build-hook charm: its own, and every setting of the product."""

import textwrap
from typing import Any

from build_hook import settings

_INTRO = """\
# Made by `./dev docs`: the charm's own options stand in docs/charm_options.py, the others are the
# product's settings, from src/build_hook/settings.py.
options:
"""
# One machine has one engine and one build hook, and Juju knows whose logs they are.
_NOT_OFFERED = {"state", "docker_host", "loki_labels"}
_OWN: dict[str, tuple[str, str | bool, str]] = {
    "user": (
        "string",
        "ubuntu",
        "Account that builds and the proxy run under; made if it is missing. The webhook server "
        "has an account of its own, which has no access to Docker.",
    ),
    "keep-data": (
        "boolean",
        True,
        "Whether history, logs and mirrors in /var/lib/build-hook, and what you put there "
        "yourself, stay on the machine when the application is removed.",
    ),
    "on-removal": (
        "string",
        "stop",
        "What becomes of a project's container when its relation is removed: stop removes it, "
        "keep has it serve on unchanged, until the project is related again, the stop-kept action "
        "stops it, or this says stop.",
    ),
}
# Where an operator of Juju needs other words than one of the product.
_WORDS = {
    "port": "Port of the webhook server, on every address of the machine.",
    "listen": "Address that the webhook server listens on; :: for IPv6 and IPv4.",
    "public_url": "How git hosts and people reach the webhook server, for example "
    "https://hooks.example.com. Empty: http, the unit's address and the port.",
    "script_helper": "Where the build-hook.py of 2015 is put for projects' own scripts; one that "
    "was there is kept beside it. Empty: hooked/build-hook.py in the home of user, if a project "
    "has scripts.",
    "tls_certificate": "Certificate of tls-port: juju is the one that the certificates relation "
    "brings, others are added with `build-hook certificate add`.",
    "trusted_proxies": "Addresses or networks, separated by commas, whose X-Forwarded-For is "
    "believed: what stands in front of the webhook server.",
}
# Where Juju brings what elsewhere the operator has to.
_DEFAULTS = {"tls_certificate": "juju"}
_TYPES = {"integer": "int", "number": "float", "boolean": "boolean"}


def text() -> str:
    """The file ``config.yaml``."""
    product = settings.Settings.model_json_schema()["properties"]
    offered = {name: of for name, of in product.items() if name not in _NOT_OFFERED}
    options = {name.replace("_", "-"): _option(name, of) for name, of in offered.items()}
    return _INTRO + "".join(_entry(name, *of) for name, of in {**_OWN, **options}.items())


def _option(name: str, of: dict[str, Any]) -> tuple[str, Any, str]:
    kind = _TYPES.get(of.get("type", ""), "string")
    default = _DEFAULTS.get(name, of.get("default"))
    words = _WORDS.get(name) or _sentence(of["description"])
    return kind, "" if kind == "string" and not default else default, words


def _entry(name: str, kind: str, default: Any, words: str) -> str:
    said = f'"{default}"' if kind == "string" else str(default).lower()
    lines = textwrap.wrap(words, 90)
    body = "".join(f"      {line}\n" for line in lines)
    return f"  {name}:\n    type: {kind}\n    default: {said}\n    description: |\n{body}"


def _sentence(description: str) -> str:
    return f"{description[0].upper()}{description[1:]}."
