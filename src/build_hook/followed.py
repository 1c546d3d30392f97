"""What of a repository a project follows, and which of its pushes are built."""

from typing import Annotated

import pydantic

from build_hook import patterns, values

_Text = Annotated[str, pydantic.Field(min_length=1)]
_Pattern = Annotated[str, pydantic.Field(min_length=1, max_length=255)]


class Followed(values.Value, defer_build=True):
    """Patterns of refs, names of CI, words and paths that a push is judged by."""

    tags: _Pattern | None = pydantic.Field(
        default=None,
        description="follow the tags of this pattern in place of ref; * and ? stop at /, ** "
        "does not",
    )
    branches: _Pattern | None = pydantic.Field(
        default=None,
        description="follow the branches of this pattern, such as release/*, in place of ref: the "
        "one that was pushed last is live",
    )
    skip_words: tuple[_Text, ...] = pydantic.Field(
        default=("[skip ci]", "[ci skip]", "[skip deploy]"),
        description="a head commit whose message has one of these is not built",
    )
    after_ci: bool = pydantic.Field(
        default=False, description="build once CI has succeeded for the commit, not on the push"
    )
    ci: tuple[_Text, ...] = pydantic.Field(
        default=(),
        description="with after_ci, the runs that count, as patterns of their names, such as "
        "build or ci/*; none: every workflow, action, pipeline or build, but no commit status, no "
        "check suite, and nothing that a schedule started",
    )
    paths: tuple[_Text, ...] = pydantic.Field(
        default=(), description="build only if a file of one of these patterns has changed"
    )

    @pydantic.field_validator("tags", "branches")
    @classmethod
    def _pattern(cls, pattern: str | None) -> str | None:
        return patterns.check(pattern) if pattern is not None else None

    @pydantic.field_validator("paths", "ci")
    @classmethod
    def _patterns(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(patterns.check(pattern) for pattern in given)

    @pydantic.model_validator(mode="after")
    def _fits_together(self) -> "Followed":
        if self.tags is not None and self.branches is not None:
            raise ValueError("follows tags or branches, not both")
        if self.ci and not self.after_ci:
            raise ValueError("ci says which runs after_ci waits for, which is off")
        return self

    @property
    def follows_head(self) -> bool:
        """Whether the head of ``ref`` is what should be live; else only deliveries can tell."""
        return self.tags is None and self.branches is None and not self.after_ci
