"""The charm's config: typed, checked as a whole, explained in one sentence."""

import dataclasses
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import ops
import pydantic

from build_hook import errors, project, settings

STATE = "/var/lib/build-hook"
WEB_USER = "build-hook"
ACCOUNT = r"^[a-z_][a-z0-9_-]{0,31}$"

# These belong to the charm; every other option is a setting of the product, by the same name.
_OF_THE_CHARM = ("user", "keep_data", "on_removal")


class Config(pydantic.BaseModel):
    """What the operator set, frozen."""

    model_config = pydantic.ConfigDict(frozen=True)

    unit: str
    user: str = pydantic.Field(pattern=ACCOUNT)
    keep_data: bool
    on_removal: Literal["stop", "keep"]
    product: settings.Settings

    def with_helper_for(self, projects: Iterable[project.Project]) -> "Config":
        """With the helper of 2015 at its old place, if scripts of then may call it there."""
        has_scripts = any(of.strategy == "script" for of in projects)
        if self.product.script_helper is not None or not has_scripts:
            return self
        place = {"script_helper": helper_of_2015(self.user)}
        return self.model_copy(update={"product": self.product.model_copy(update=place)})

    @pydantic.field_validator("user")
    @classmethod
    def _has_docker(cls, user: str) -> str:
        if user == WEB_USER:
            raise ValueError(f"must not be {WEB_USER}: that account serves web, without Docker")
        return user

    @pydantic.field_validator("product")
    @classmethod
    def _has_a_port(cls, value: settings.Settings) -> settings.Settings:
        if value.port == 0:
            raise ValueError("port must be between 1 and 65535")
        return value


def helper_of_2015(user: str) -> pathlib.Path:
    """Where the charm of 2015 put its helper."""
    return pathlib.Path("/home", user, "hooked", "build-hook.py")


@dataclasses.dataclass(frozen=True)
class Found:
    """What relations tell of the world around; the operator's own word comes before it."""

    public_url: str | None = None
    proxies: tuple[str, ...] = ()
    loki_urls: tuple[str, ...] = ()
    loki_labels: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def added_to(self, product: Mapping[str, Any]) -> dict[str, Any]:
        """Settings of the product with what was found; lists are joined."""
        added = dict(product)
        if self.public_url is not None:
            added.setdefault("public_url", self.public_url)
        for name, known in (("trusted_proxies", self.proxies), ("loki_urls", self.loki_urls)):
            if known:
                added[name] = ",".join(filter(None, (str(product.get(name, "")), *known)))
        if added.get("loki_urls"):
            added["loki_labels"] = dict(self.loki_labels)
        return added


def load(charm: ops.CharmBase, found: Found | None = None) -> Config:
    """Read the config.

    Raises:
        SettingsError: naming the option and how to set it.
    """
    options = {key.replace("-", "_"): value for key, value in charm.config.items()}
    own = {key: options.pop(key) for key in _OF_THE_CHARM if key in options}
    product = {key: value for key, value in options.items() if value != ""}
    product = (found or Found()).added_to(product)
    own |= {"unit": charm.unit.name, "product": {**product, "state": STATE}}
    try:
        return Config.model_validate(own)
    except pydantic.ValidationError as error:
        raise errors.SettingsError(*_explain(error, charm.app.name)) from error


def _explain(error: pydantic.ValidationError, app: str) -> tuple[str, str]:
    fault = error.errors()[0]
    reason = fault["msg"].removeprefix("Value error, ")
    path = [str(part) for part in fault["loc"] if part != "product"]
    if not path:
        return f"Config {reason}", f"Use: juju config {app} {reason.split()[0]}=VALUE"
    option = path[0].replace("_", "-")
    return f"Config {option}: {reason}", f"Use: juju config {app} {option}=VALUE"
