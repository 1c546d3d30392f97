"""What a genuine event means for one project: build, skip or ignore, and why."""

import dataclasses
from typing import Literal

from build_hook import patterns, project, push, reference
from build_hook.judging import matching

Action = Literal["build", "skip", "ignore"]

# the kinds whose changes are worth a look; a host may send two of them for one push, and the
# second one finds its commit built
_MOVES = frozenset({push.Kind.PUSH, push.Kind.REPOSITORY_UPDATE, push.Kind.MIRROR_SYNC})
_REASONS = {
    push.Kind.REF_CREATE: "the push that comes with it counts",
    push.Kind.REF_DELETE: "a deleted ref is not built",
    push.Kind.PING: "a ping",
    push.Kind.PACKAGE: "the project is built from its repository, not from a package",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Match:
    """A project that a delivery is about, and what follows."""

    project: project.Project
    action: Action
    reason: str
    change: push.Change | None = None


def decide(entry: project.Project, event: push.Event) -> tuple[Match, ...]:
    """What the event means for the project: one match for each tracked ref that moved."""
    if event.kind is push.Kind.IMAGE_PUSH or (entry.image is not None and event.images):
        return _pushed(entry, event)
    if not matching.concerns(entry, event):
        return (Match(entry, "ignore", f"the delivery is about {event.repository}"),)
    if _is_renamed(event):
        return (Match(entry, "ignore", _renamed(event)),)
    if entry.after_ci and event.check is not None:
        return (_checked(entry, event.check),)
    if event.kind not in _MOVES:
        reason = _REASONS.get(event.kind, f"an event of kind {event.kind} moves no ref")
        return (Match(entry, "ignore", reason),)
    moved = [change for change in event.changes if matching.follows(entry, change.ref)]
    if not moved and event.unlisted and entry.follows_head:
        return (_looked(entry),)
    if not moved:
        return (Match(entry, "ignore", _elsewhere(entry, event)),)
    return tuple(_moved(entry, change) for change in moved)


def _pushed(entry: project.Project, event: push.Event) -> tuple[Match, ...]:
    """What images that arrived in a registry mean: their tags are its refs."""
    if entry.image is None:
        reason = "the project is built from its repository, not from an image"
        return (Match(entry, "ignore", reason),)
    ours = [image for image in event.images if matching.pulls(entry, image)]
    moved = {change.ref: change for image in ours if (change := _tagged(image)) is not None}
    followed = [change for ref, change in moved.items() if matching.follows(entry, ref)]
    if followed:
        return tuple(Match(entry, "build", f"{c.ref} was pushed", c) for c in followed)
    other = next(iter(ours or event.images), None)
    if other is None:
        return (Match(entry, "ignore", "no image was pushed"),)
    what = f"{other.repository}:{other.tag}" if other.tag else f"{other.repository} without a tag"
    return (Match(entry, "ignore", f"{what} was pushed, the project follows {_followed(entry)}"),)


def _tagged(image: push.ImagePush) -> push.Change | None:
    ref = f"refs/tags/{image.tag}"
    if image.tag is None or not push.is_ref(ref):
        return None
    digest = image.digest if reference.is_digest(image.digest) else None
    return push.Change(ref, push.RefType.TAG, image.tag, after=digest)


def _followed(entry: project.Project) -> str:
    pulls = entry.pulls
    return f"tags {entry.tags} of {pulls.name}" if entry.tags and pulls else str(entry.image)


def _moved(entry: project.Project, change: push.Change) -> Match:
    if change.deleted:
        return Match(entry, "ignore", f"{change.ref} was deleted", change)
    word = next((w for w in entry.skip_words if w in (change.head_message or "")), None)
    if word is not None:
        return Match(entry, "skip", f"the head commit says {word}", change)
    if entry.after_ci:
        return Match(entry, "ignore", "it is built once CI has succeeded", change)
    return Match(entry, "build", f"{change.ref} moved", change)


def _looked(entry: project.Project) -> Match:
    """What a delivery means that says that refs moved, and not which."""
    kind, name = push.split_ref(entry.ref)
    reason = f"refs moved that the delivery does not name: {entry.branch} is looked at"
    return Match(entry, "build", reason, push.Change(entry.ref, kind, name))


def _checked(entry: project.Project, check: push.Check) -> Match:
    """What the end of a CI run means for a project that waits for it."""
    ref = _ref_of(entry, check)
    if ref is None or not matching.follows(entry, ref):
        ran = check.branch or "a commit of no branch that it names"
        return Match(entry, "ignore", f"CI ran for {ran}, the project follows {entry.branch}")
    if not _counts(entry, check):
        hint = "name it in the project's ci to have it count"
        return Match(entry, "ignore", f"{check.name} is not the CI that is waited for; {hint}")
    if not check.succeeded:
        return Match(entry, "ignore", f"CI failed: {check.name}")
    kind, name = push.split_ref(ref)
    change = push.Change(ref, kind, name, after=check.commit)
    return Match(entry, "build", f"CI succeeded: {check.name}", change)


def _ref_of(entry: project.Project, check: push.Check) -> str | None:
    """The ref that a run was for.

    One that names none may have been for the one that is followed: that one is built only if
    it is still at the run's commit.
    """
    if check.branch is None:
        return None if entry.tags or entry.branches else entry.ref
    is_tag = check.tag
    if is_tag is None:
        is_tag = entry.tags is not None or entry.ref.startswith("refs/tags/")
    ref = f"refs/{'tags' if is_tag else 'heads'}/{check.branch}"
    return ref if push.is_ref(ref) else None


def _counts(entry: project.Project, check: push.Check) -> bool:
    """Whether this is the CI that the project waits for."""
    if entry.ci:
        return any(patterns.fits(pattern, check.name) for pattern in entry.ci)
    return not check.single


def _elsewhere(entry: project.Project, event: push.Event) -> str:
    followed = entry.branch if entry.tags or entry.branches else entry.ref
    if not event.changes:
        return "the delivery names no ref that changed"
    others = len(event.changes) - 1
    more = f" and {others} more" if others else ""
    return f"{event.changes[0].ref}{more} moved, the project follows {followed}"


def _is_renamed(event: push.Event) -> bool:
    old, new = event.renamed_from, event.repository
    return old is not None and new is not None and old.lower() != new.lower()


def _renamed(event: push.Event) -> str:
    return (
        f"{event.renamed_from} is now {event.repository}: "
        "correct the project's repository in the registry"
    )
