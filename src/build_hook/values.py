"""The ground of all values that people write: frozen, strict, with units in their types."""

import re
import shlex
from typing import Annotated, Any

import pydantic

SECRET_NAME = r"^[a-z0-9][a-z0-9._-]{0,62}$"  # noqa: S105 - a pattern for file names
_HOST_NAME = re.compile(
    r"(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
)
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?")


class Value(pydantic.BaseModel):
    """A frozen value; a key that is not known is an error, since it is most often a typo.

    Making pydantic's validators takes much of the time in which the charm starts, at every event.
    Values that are only the ground of others, or that few processes make, say ``defer_build``:
    theirs are made when the first one is.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


def seconds(given: Any) -> Any:
    """Read a Compose duration such as ``1m30s`` or ``500ms``; numbers are seconds."""
    if not isinstance(given, str) or given.replace(".", "", 1).isdigit():
        return given
    found = _DURATION.fullmatch(given)
    if not given or not found:
        raise ValueError("must be seconds, or a duration such as 1m30s or 500ms")
    hours, minutes, whole, milli = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + whole + milli / 1000


def words(given: Any) -> Any:
    """Read a Compose command: a list, or one string that is split as a shell would."""
    return shlex.split(given) if isinstance(given, str) else given


def pairs(given: Any) -> Any:
    """Read a Compose mapping: an object, or a list of ``KEY=VALUE``."""
    if not isinstance(given, list | tuple):
        return given
    texts: list[Any] = list(given)  # pyright: ignore[reportUnknownArgumentType]
    if not all(isinstance(text, str) and "=" in text for text in texts):
        raise ValueError("must be an object, or a list of KEY=VALUE")
    return dict(text.split("=", 1) for text in texts)


def text(given: Any) -> Any:
    """Read a number where a text is meant, as YAML has them."""
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    return str(given) if is_number else given


def texts(given: Any) -> Any:
    """Read the numbers of a mapping as texts."""
    if not isinstance(given, dict):
        return given
    named: dict[Any, Any] = dict(given)  # pyright: ignore[reportUnknownArgumentType]
    return {name: text(value) for name, value in named.items()}


def listed(given: Any) -> Any:
    """Read one text as a list of it."""
    return (given,) if isinstance(given, str) else given


def host_name(given: str) -> str:
    """Check a host name, or a pattern for one label such as ``*.example.org``; lower case."""
    name = given.lower().removesuffix(".")
    if len(name) > 253 or not _HOST_NAME.fullmatch(name):
        raise ValueError(
            f"{given!r} must be a host name such as shop.example.org, or *.example.org"
        )
    return name


PortNumber = Annotated[int, pydantic.Field(ge=1, le=65535)]
Seconds = Annotated[float, pydantic.Field(ge=0, le=86_400), pydantic.BeforeValidator(seconds)]
Words = Annotated[tuple[str, ...], pydantic.BeforeValidator(words)]
Pairs = Annotated[dict[str, str], pydantic.BeforeValidator(pairs)]
Bytes = Annotated[str, pydantic.Field(pattern=r"^[1-9]\d*[bkmgBKMG]?b?$")]
SecretName = Annotated[str, pydantic.Field(pattern=SECRET_NAME)]
HostName = Annotated[str, pydantic.AfterValidator(host_name)]
