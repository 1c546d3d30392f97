"""What a git host told us, in one shape for all of them."""

import dataclasses
import enum
import re

_BRANCH, _TAG = "refs/heads/", "refs/tags/"
# git check-ref-format, for a full ref
_NOT_A_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|//|/\.|@\{|\.lock(?:/|$)|[/.]$")


class Kind(enum.StrEnum):
    """What a delivery is about; the values are part of ``build-hook explain``'s contract."""

    PUSH = "push"
    REF_CREATE = "ref_create"
    REF_DELETE = "ref_delete"
    PING = "ping"
    PULL_REQUEST = "pull_request"
    RELEASE = "release"
    WORKFLOW_RUN = "workflow_run"
    REPOSITORY = "repository"
    PACKAGE = "package"
    REPOSITORY_UPDATE = "repository_update"
    MIRROR_SYNC = "mirror_sync"
    IMAGE_PUSH = "image_push"
    OTHER = "other"


class RefType(enum.StrEnum):
    """What a ref names."""

    BRANCH = "branch"
    TAG = "tag"
    OTHER = "other"


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """One ref that moved.

    ``ref`` is always the full ref; ``name`` is the ref without ``refs/heads/`` or
    ``refs/tags/``, slashes kept. ``before`` and ``after`` are None where the host sends null
    or nothing; a deleted ref never has a usable ``after``.
    """

    ref: str
    ref_type: RefType
    name: str
    before: str | None = None
    after: str | None = None
    created: bool = False
    deleted: bool = False
    forced: bool = False
    head_message: str | None = None
    head_author: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Check:
    """The end of a CI run, as a git host reports it.

    ``branch`` is the short name of what it ran for, None where the host does not say; ``tag``
    tells whether that is a tag, None where the host does not say. A ``single`` one is a status
    among several of a commit, the run of one among several CI systems, or one by the clock.
    """

    commit: str
    branch: str | None
    name: str
    succeeded: bool
    tag: bool | None = None
    single: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class ImagePush:
    """An image that arrived in a registry, named with its port where the host tells which."""

    repository: str
    tag: str | None = None
    digest: str | None = None
    registry: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """One delivery, read.

    ``repository`` is the full name (``owner/name``, deeper for GitLab groups), ``host`` the
    lower-case host name it lives on where the body tells, ``event`` the host's own word.
    ``unlisted`` says that refs moved which the body does not name.
    """

    provider: str
    event: str
    kind: Kind
    delivery_id: str | None = None
    action: str | None = None
    repository: str | None = None
    host: str | None = None
    clone_urls: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    check: Check | None = None
    images: tuple[ImagePush, ...] = ()
    renamed_from: str | None = None
    unlisted: bool = False


def is_null(commit: str | None) -> bool:
    """Whether an id is all zeros, which stands for no commit, in SHA-1 and SHA-256 alike."""
    return commit is not None and not commit.strip("0")


def is_ref(ref: str) -> bool:
    """Whether git would take it as the full name of a ref."""
    return ref.startswith("refs/") and ref.count("/") > 1 and not _NOT_A_REF.search(ref)


def split_ref(ref: str) -> tuple[RefType, str]:
    """What a full ref names, and its short name."""
    if ref.startswith(_BRANCH):
        return RefType.BRANCH, ref.removeprefix(_BRANCH)
    if ref.startswith(_TAG):
        return RefType.TAG, ref.removeprefix(_TAG)
    return RefType.OTHER, ref
