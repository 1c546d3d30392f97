"""Full names of refs: of branches and tags in git, and of the tags of images."""

import re
from typing import Any, cast

from build_hook import reference

_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


def full(ref: str) -> str:
    """Make a full ref of a branch's short name; refuse what git would (check-ref-format).

    Raises:
        ValueError: if it cannot be a ref.
    """
    full = ref if ref.startswith("refs/") else f"refs/heads/{ref}"
    has_bad_character = any(c in " ~^:?*[\\\x7f" or ord(c) < 32 for c in full)
    has_bad_part = any(
        not part or part.startswith(".") or part.endswith(".lock") for part in full.split("/")
    )
    if has_bad_character or has_bad_part or ".." in full or "@{" in full or full.endswith("."):
        raise ValueError("is not a valid git ref name (see git check-ref-format)")
    return full


def asked(ref: str) -> str:
    """What a person named: a commit by its whole id as it is, else a full ref.

    Raises:
        ValueError: if it can be neither.
    """
    return ref if _COMMIT.fullmatch(ref) else full(ref)


def of_image(image: reference.Reference) -> str:
    """What an image follows: its tag as a ref, or its digest, which never moves."""
    if image.digest is not None:
        return f"refs/digests/{image.digest.replace(':', '/')}"
    return f"refs/tags/{image.tag}"


def from_image(given: Any) -> Any:
    """A project's fields with the ref that its image has in its name, if it pulls one.

    What is wrong with a name, its own field tells.
    """
    if not isinstance(given, dict):
        return given
    said = cast("dict[str, Any]", given)
    image = said.get("image")
    if not isinstance(image, str) or said.get("repository"):
        return said
    try:
        return {**said, "ref": of_image(reference.parse(image))}
    except ValueError:
        return said
