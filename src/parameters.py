"""The parameters of the actions, checked before anything is done with them."""

from typing import Annotated, Literal

import pydantic

Name = Annotated[str, pydantic.Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
# A ref or a commit reaches git; an option cannot be smuggled in as one.
Ref = Annotated[str, pydantic.Field(pattern=r"^[A-Za-z0-9][^\s~^:?*\[\\]*$", max_length=255)]
Number = Annotated[int, pydantic.Field(ge=1)]


class _Params(pydantic.BaseModel):
    # Deferred since most events are no action.
    model_config = pydantic.ConfigDict(frozen=True, defer_build=True)


class Project(_Params):
    """An action on a project."""

    project: Name


class Kept(Project):
    """Parameters of ``stop-kept``."""


class Deploy(Project):
    """Parameters of ``deploy``."""

    ref: Ref | None = None
    wait: bool = False


class Rollback(Project):
    """Parameters of ``rollback``."""

    to: Number | None = None
    wait: bool = False


class Cancel(_Params):
    """Parameters of ``cancel``."""

    build: Number


class Builds(_Params):
    """Parameters of ``builds``."""

    project: Name | None = None


class Logs(Builds):
    """Parameters of ``logs``: a build or a project."""

    build: Number | None = None
    lines: Annotated[int, pydantic.Field(ge=1, le=5000)] = 200

    @pydantic.model_validator(mode="after")
    def _one_of_both(self) -> "Logs":
        if (self.build is None) == (self.project is None):
            raise ValueError("give either build or project")
        return self


class Resume(_Params):
    """Parameters of ``resume``: one project, or all."""

    project: Name | None = None


class Pause(Resume):
    """Parameters of ``pause``."""

    reason: Annotated[str, pydantic.Field(max_length=200)] | None = None


class Webhook(Project):
    """Parameters of ``get-webhook``."""

    reveal: bool = False


class Rotate(Project):
    """Parameters of ``rotate-secret``."""

    forget_previous: bool = False


class Token(_Params):
    """Parameters of ``create-token``."""

    name: Annotated[str, pydantic.Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._ -]{0,62}$")]
    scope: Literal["read", "deploy", "admin"]
    expires: Annotated[float, pydantic.Field(gt=0)] | None = None


class Explain(_Params):
    """Parameters of ``explain``."""

    headers: pydantic.Json[dict[str, str]]
    body: str
