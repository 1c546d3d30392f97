"""The engine's settings: config and the network relation, most of them keys of ``daemon.json``."""

import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pydantic

# Keys that the charm owns; others in the file are the operator's and stay.
KEYS = (
    "log-driver", "log-opts", "registry-mirrors", "insecure-registries", "data-root",
    "live-restore", "bip", "mtu",
)  # fmt: skip
# The engine takes these when it is told to reload; for the others it must restart.
RELOADABLE = frozenset({"registry-mirrors", "insecure-registries", "live-restore"})

_REGISTRY = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:/_-]*")
UPSTREAM_URL = "https://download.docker.com/linux"
_KEY = r"^(\s*-----BEGIN PGP PUBLIC KEY BLOCK-----[\s\S]*-----END PGP PUBLIC KEY BLOCK-----\s*)?$"
_PACKAGE_VERSION = r"^[0-9][A-Za-z0-9.+:~-]*$"
Options = Mapping[str, str | int | float | bool]


class OptionError(Exception):
    """An option cannot be used; the text says which, why and how to mend it."""


class Daemon(pydantic.BaseModel):
    """What the charm sets, frozen; None and empty mean that the engine decides."""

    model_config = pydantic.ConfigDict(frozen=True)

    source: Literal["distribution", "upstream"] = "distribution"
    upstream_url: Annotated[str, pydantic.Field(pattern=r"^https?://[^\s]+$")] = UPSTREAM_URL
    upstream_key: Annotated[str, pydantic.Field(pattern=_KEY)] = ""
    version: Annotated[str, pydantic.Field(pattern=_PACKAGE_VERSION)] | None = None
    compose: bool = False
    cpu_weight: Annotated[int, pydantic.Field(ge=0, le=10000)] = 5
    log_driver: Annotated[str, pydantic.Field(pattern=r"^[a-z0-9][a-z0-9/:._-]*$")] | None = None
    log_opts: dict[str, str] = {}
    registry_mirrors: tuple[str, ...] = ()
    insecure_registries: tuple[str, ...] = ()
    data_root: Annotated[str, pydantic.Field(pattern=r"^/[^\s]+$")] | None = None
    live_restore: bool = True
    bip: str | None = None
    mtu: Annotated[int, pydantic.Field(ge=576, le=65535)] | None = None

    @pydantic.field_validator("log_opts", mode="before")
    @classmethod
    def _pairs(cls, lines: object) -> object:
        if not isinstance(lines, str):
            return lines
        pairs = [line.strip().partition("=") for line in lines.splitlines() if line.strip()]
        if any(not name or not equals for name, equals, _ in pairs):
            raise ValueError("must be NAME=value, one a line")
        return {name: value for name, _, value in pairs}

    @pydantic.field_validator("registry_mirrors", "insecure_registries", mode="before")
    @classmethod
    def _words(cls, text: object) -> object:
        return tuple(text.replace(",", " ").split()) if isinstance(text, str) else text

    @pydantic.field_validator("registry_mirrors")
    @classmethod
    def _urls(cls, mirrors: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [m for m in mirrors if not m.startswith(("https://", "http://"))]:
            raise ValueError(f"{wrong[0]!r} is not an http or https URL")
        return mirrors

    @pydantic.field_validator("insecure_registries")
    @classmethod
    def _hosts(cls, registries: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [r for r in registries if not _REGISTRY.fullmatch(r)]:
            raise ValueError(f"{wrong[0]!r} is not HOST, HOST:PORT or a subnet")
        return registries

    @pydantic.field_validator("bip")
    @classmethod
    def _interface(cls, bip: str | None) -> str | None:
        if bip is not None and ("/" not in bip or ipaddress.ip_interface(bip).ip.is_loopback):
            raise ValueError("must be an address with its prefix, as 10.20.0.1/24")
        return bip

    @property
    def keys(self) -> dict[str, Any]:
        """The keys for ``daemon.json``, without those that the engine is to decide."""
        values = {key: getattr(self, key.replace("-", "_")) for key in KEYS}
        lists = {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
        return {key: value for key, value in lists.items() if value not in (None, [], {})}


def read(options: Options, network: Mapping[str, str], storage: str | None, app: str) -> Daemon:
    """The settings that config, storage and the related network ask for; config comes first.

    Raises:
        OptionError: naming the first option that cannot be used.

    """
    given = {key: value for key, value in options.items() if value not in ("", None)}
    if not given.get("mtu"):
        given.pop("mtu", None)
    if storage is not None and "data-root" in given:
        raise OptionError(
            f"Config data-root: the storage data is at {storage}. Use: juju config {app} "
            "--reset data-root"
        )
    offered = {
        "bip": network.get("flannel-subnet"),
        "mtu": network.get("flannel-mtu"),
        "data-root": storage and f"{storage}/docker",
    }
    both = {**{key: value for key, value in offered.items() if value}, **given}
    try:
        return Daemon.model_validate({k.replace("-", "_"): v for k, v in both.items()})
    except pydantic.ValidationError as error:
        fault = error.errors()[0]
        option = str(fault["loc"][0]).replace("_", "-")
        reason = fault["msg"].removeprefix("Value error, ")
        source = "Config" if option in given else "The related network's"
        raise OptionError(
            f"{source} {option}: {reason}. Use: juju config {app} {option}=VALUE"
        ) from error
