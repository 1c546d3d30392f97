"""A project: one repository, what of it is followed, and how a version proves itself.

How it is built and run is a service, in the names of Compose.
"""

from typing import Annotated, Any, Literal

import pydantic

from build_hook import (
    addresses,
    composed,
    followed,
    login,
    membership,
    proof,
    reference,
    refs,
    timetable,
    values,
    windows,
    zones,
)
from build_hook.script import Script
from build_hook.service import Build, Port

__all__ = ["Build", "Health", "Port", "Project", "Provider", "Tolerance"]

NAME = r"^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$"
Provider = Literal[
    "github", "gitlab", "gitea", "forgejo", "gogs", "bitbucket-cloud", "bitbucket-dc",
    "bitbucket-legacy-post", "azure-devops", "standard-webhooks", "dockerhub", "harbor",
    "registry", "generic",
]  # fmt: skip
Health = proof.Health
Tolerance = proof.Tolerance


class Project(
    composed.Composed, login.Login, followed.Followed, membership.Membership, defer_build=False
):
    """One entry of the registry."""

    name: str = pydantic.Field(
        pattern=NAME, description="what people, containers and addresses call it"
    )
    ref: str = pydantic.Field(
        default="refs/heads/main",
        description="branch (short or full) or full tag ref to follow; of an image it is made of "
        "its tag",
    )
    registry_login: values.SecretName | None = pydantic.Field(
        default=None,
        description="name of the secret whose USER:PASSWORD opens the registry of image",
    )
    webhook_secrets: tuple[values.SecretName, ...] = pydantic.Field(
        default=(),
        max_length=2,
        description="names of the webhook secrets, two during a rotation; the values are files",
    )
    allow_unsigned: bool = pydantic.Field(
        default=False,
        description="accept deliveries without proof of who sent them, when there is no secret: "
        "whoever reaches the port can start a build",
    )
    allow_from: tuple[Annotated[str, pydantic.AfterValidator(addresses.check)], ...] = (
        pydantic.Field(
            default=(),
            description="networks or addresses that deliveries may come from; none: anywhere",
        )
    )
    allow_sha1: bool = pydantic.Field(
        default=False, description="accept SHA1 signatures, for hosts that have nothing else"
    )
    provider: Provider | None = pydantic.Field(
        default=None, description="the git host's kind; deliveries of another kind are refused"
    )
    cancel_running: bool = pydantic.Field(
        default=False,
        description="a newer push stops a build that has not begun to take traffic; "
        "otherwise it is finished first",
    )
    strategy: Literal["rolling", "recreate", "script"] = pydantic.Field(
        default="rolling",
        description="rolling: the new version starts beside the old one; recreate: for what "
        "cannot run twice, the old one stops first and requests wait meanwhile; script: the "
        "repository's own scripts build and start it, as in 2015",
    )
    script: Script | None = pydantic.Field(
        default=None, description="with the strategy script, by default as in 2015"
    )
    health: Health = Health()
    drain: values.Seconds = pydantic.Field(
        default=10, description="most seconds that open sessions may finish on the old version"
    )
    session_grace: values.Seconds = pydantic.Field(
        default=0,
        description="most seconds that sessions which outlast drain, such as WebSockets and raw "
        "TCP, may stay on the old version, which runs on beside the new one meanwhile",
    )
    watch: values.Seconds = pydantic.Field(
        default=10, description="seconds a new version is watched, the old one at hand"
    )
    tolerance: Tolerance = Tolerance()
    freeze: tuple[Annotated[str, pydantic.AfterValidator(windows.check)], ...] = pydantic.Field(
        default=(),
        description="windows in which pushes wait, such as Fri 16:00 - Mon 07:00, 22:00 - 06:00 "
        "or 2026-12-24 - 2027-01-02",
    )
    rebuild: Annotated[str, pydantic.AfterValidator(timetable.check)] | None = pydantic.Field(
        default=None,
        description="when what serves is built again on a fresh base image, such as 04:30, "
        "Mon,Thu 04:30, weekly or monthly 04:30",
    )
    time_zone: Annotated[str, pydantic.AfterValidator(zones.check)] | None = pydantic.Field(
        default=None, description="zone of freeze and rebuild; default: that of the settings"
    )

    _operators: "Project | None" = pydantic.PrivateAttr(default=None)

    @pydantic.model_validator(mode="before")
    @classmethod
    def _ref_of_image(cls, given: Any) -> Any:
        return refs.from_image(given)

    @pydantic.model_validator(mode="after")
    def _one_source(self) -> "Project":
        if not self.repository and self.image is None:
            raise ValueError("needs a repository to build from, or an image to pull")
        if self.repository and self.image is not None:
            raise ValueError("has a repository and an image: one of them is to be deployed")
        if self.image is not None and self.match == "short-name":
            raise ValueError("match: short-name is for a repository, the project follows an image")
        if self.image is None and self.registry_login is not None:
            raise ValueError(
                "registry_login is for an image; logins for a build stand in build.registry_logins"
            )
        if self.script is not None and self.strategy != "script":
            raise ValueError("script is for the strategy script")
        if self.strategy == "script" and not self.repository:
            raise ValueError("the strategy script needs a repository, with the scripts in it")
        if self.strategy == "script" and self.secrets:
            raise ValueError("secrets are not for scripts: mount them there with docker run -v")
        if self.compose is not None and self.strategy != "rolling":
            raise ValueError("strategy stands by service: move it to compose.services")
        only = [name for name in ("branches", "after_ci", "paths") if getattr(self, name)]
        if self.image is not None and only:
            raise ValueError(f"{only[0]} is about a repository, the project follows an image")
        return self

    @pydantic.field_validator("ref")
    @classmethod
    def _full_ref(cls, ref: str) -> str:
        return refs.full(ref)

    @property
    def pulls(self) -> reference.Reference | None:
        """The image that is pulled, if none is built."""
        return reference.parse(self.image) if self.image is not None else None

    @property
    def origin(self) -> str:
        """Where new versions come from, as a URL: what is asked once for all of its projects."""
        pulls = self.pulls
        return self.repository if pulls is None else f"image://{pulls.name}"

    def ref_of(self, text: str) -> str:
        """The full ref of what a person calls it: a branch, or the tag of an image.

        Raises:
            ValueError: if it cannot be a ref.
        """
        if self.image is None or text.startswith("refs/"):
            return refs.asked(text)
        return refs.full(f"refs/tags/{text}")

    def on_behalf_of(self, operators: "Project") -> "Project":
        """This project, which has more settings than its operator gave it."""
        self._operators = operators
        return self

    @property
    def runs_as(self) -> str:
        """What makes a project be deployed again when it changes, as text to compare.

        What its repository sets is part of the commit: it changes with that.
        """
        if self._operators is not None:
            return self._operators.runs_as
        brought = self.model_dump_json(include={"submodules", "lfs"}, exclude_defaults=True)
        scripts = self.scripts.model_dump_json() if self.strategy == "script" else ""
        return super().runs_as + brought.removeprefix("{}") + scripts

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the operator has allowed and should know of wherever the project is shown."""
        unsigned = ("takes unsigned deliveries",) if self.allow_unsigned else ()
        return (*self.left, *unsigned, *self.loose_match)

    @property
    def scripts(self) -> Script:
        """How its scripts are run, where it has any."""
        return self.script or Script()

    @property
    def stops_first(self) -> bool:
        """Whether the old version has to stop before the new one starts."""
        return self.strategy == "recreate"

    @property
    def branch(self) -> str:
        """What is followed, as people say it: a branch without ``refs/heads/``, or a pattern."""
        if self.tags is not None:
            return f"refs/tags/{self.tags}"
        return self.branches or self.ref.removeprefix("refs/heads/")
