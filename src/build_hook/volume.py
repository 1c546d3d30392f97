"""A volume of a container, as Compose's short form has it; the long one is made of it."""

import re
from typing import Annotated, Any, Literal

import pydantic

from build_hook import values

_MODES = ("ro", "rw", "z", "Z", "nocopy", "shared", "slave", "private", "rshared", "rslave",
          "rprivate")  # fmt: skip
_MODE = "|".join(_MODES)
_SHORT = re.compile(rf"(/[^:\0]*|[a-zA-Z0-9][a-zA-Z0-9_.-]*):(/[^:\0]+)(:({_MODE})(,({_MODE}))*)?")


class _Bind(values.Value):
    propagation: Literal["shared", "slave", "private", "rshared", "rslave", "rprivate"] | None = (
        None
    )
    selinux: Literal["z", "Z"] | None = None


class _Named(values.Value):
    nocopy: bool = False


class _Long(values.Value):
    type: Literal["bind", "volume"]
    source: str
    target: str
    read_only: bool = False
    bind: _Bind = _Bind()
    volume: _Named = _Named()

    @property
    def short(self) -> str:
        modes = (
            "ro" if self.read_only else None,
            self.bind.propagation,
            self.bind.selinux,
            "nocopy" if self.volume.nocopy else None,
        )
        return ":".join(filter(None, (self.source, self.target, ",".join(filter(None, modes)))))

    @pydantic.model_validator(mode="after")
    def _is_what_it_says(self) -> "_Long":
        if (self.type == "bind") is not self.source.startswith("/"):
            raise ValueError("a bind has a folder of the host as its source, a volume a name")
        return self


def _shortened(given: Any) -> Any:
    return _Long.model_validate(given).short if isinstance(given, dict) else given


def _checked(given: str) -> str:
    if not _SHORT.fullmatch(given):
        raise ValueError(
            f"{given!r} must be SOURCE:TARGET or SOURCE:TARGET:ro, SOURCE a name or a "
            "folder; without one its data would be lost at every deploy"
        )
    return given


Volume = Annotated[str, pydantic.BeforeValidator(_shortened), pydantic.AfterValidator(_checked)]
