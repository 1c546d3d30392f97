"""A secret as a container finds it: a file of its own, in the names of Compose."""

import posixpath
import re
from typing import Annotated, Any

import pydantic

from build_hook import values

FOLDER = "/run/secrets"
_TARGET = re.compile(r"(/[^:\0]+|[a-zA-Z0-9._-]+)")
_Number = Annotated[
    str, pydantic.BeforeValidator(values.text), pydantic.Field(pattern=r"^\d{1,9}$")
]


class SecretMount(values.Value):
    """A secret as a file in the container: Compose ``secrets``."""

    source: values.SecretName = pydantic.Field(description="name of the secret here")
    target: str | None = pydantic.Field(
        default=None,
        description="its name below /run/secrets, or a path; default: the name of the secret",
    )
    uid: _Number | None = pydantic.Field(default=None, description="number of the user it is for")
    gid: _Number | None = pydantic.Field(default=None, description="number of the group it is for")
    mode: Annotated[str, pydantic.Field(pattern=r"^0?[0-7]{3}$")] = pydantic.Field(
        default="0444", description="its permissions in the container, in octal digits"
    )

    @property
    def path(self) -> str:
        """Where it is in the container."""
        return posixpath.join(FOLDER, self.target or self.source)

    @pydantic.field_validator("target")
    @classmethod
    def _is_a_file(cls, target: str | None) -> str | None:
        if target is not None and (
            not _TARGET.fullmatch(target)
            or {"", ".", ".."} & set(target.split("/")[1:] or [target])
        ):
            raise ValueError(f"{target!r} must be a name, or the absolute path of a file")
        return target


def _named(given: Any) -> Any:
    """Read Compose's short form: a name stands for the secret and for its file."""
    if not isinstance(given, list | tuple):
        return given
    listed: list[Any] = list(given)  # pyright: ignore[reportUnknownArgumentType]
    return [{"source": each} if isinstance(each, str) else each for each in listed]


def _differ(given: tuple[SecretMount, ...]) -> tuple[SecretMount, ...]:
    paths = [each.path for each in given]
    twice = next((path for path in paths if paths.count(path) > 1), None)
    if twice is not None:
        raise ValueError(f"two secrets are {twice}")
    return given


Mounts = Annotated[
    tuple[SecretMount, ...], pydantic.BeforeValidator(_named), pydantic.AfterValidator(_differ)
]
