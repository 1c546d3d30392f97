"""A delivery and what follows from it, in one sentence for a person."""

from collections.abc import Iterable, Sequence

from build_hook import push
from build_hook.judging import decision

_HOSTS = {
    "github": "GitHub",
    "gitlab": "GitLab",
    "gitea": "Gitea",
    "forgejo": "Forgejo",
    "gogs": "Gogs",
    "bitbucket-cloud": "Bitbucket Cloud",
    "bitbucket-dc": "Bitbucket Data Center",
    "bitbucket-legacy-post": "Bitbucket's old POST service",
    "azure-devops": "Azure DevOps",
    "standard-webhooks": "A sender of Standard Webhooks",
    "dockerhub": "Docker Hub",
    "harbor": "Harbor",
    "registry": "A registry",
    "generic": "A sender of plain JSON",
}
_NEWS = {
    push.Kind.PING: "its webhook reaches this server",
    push.Kind.REF_CREATE: "a ref was created, of which a push tells as well",
    push.Kind.REF_DELETE: "a ref was deleted",
    push.Kind.PULL_REQUEST: "there is news of a pull request",
    push.Kind.RELEASE: "there is news of a release",
    push.Kind.WORKFLOW_RUN: "CI is at work, which says nothing yet or nothing about a ref here",
    push.Kind.REPOSITORY: "there is news of the repository itself",
    push.Kind.PACKAGE: "there is news of a package",
    push.Kind.IMAGE_PUSH: "something without a manifest was pushed",
}
_MOST = 3
_SHORT = 10  # digits of a commit


def say(event: push.Event, verified: bool | None, matches: Sequence[decision.Match]) -> str:
    """Who says what about which repository, whether that is proven, and what follows."""
    about = f" in {event.repository}" if event.repository and not event.images else ""
    said = f"{_HOSTS.get(event.provider, event.provider)} says that {_news(event)}{about}"
    return f"{said}; {_proof(verified)}; {_consequence(event, matches)}."


def _news(event: push.Event) -> str:
    if event.renamed_from is not None and event.renamed_from != event.repository:
        return f"{event.renamed_from} has a new name"
    if event.check is not None:
        return _checked(event.check)
    if event.images:
        return _listed(map(_image, event.images)) + " was pushed"
    if event.changes:
        return _listed(map(_moved, event.changes))
    if event.unlisted:
        return "refs moved, and not which"
    return _NEWS.get(event.kind, f"there is an event of no interest here ({event.event})")


def _checked(check: push.Check) -> str:
    end = "succeeded" if check.succeeded else "failed"
    on = f" on {check.branch}" if check.branch else ""
    return f"CI {end}: {check.name}{on} at {check.commit[:_SHORT]}"


def _image(image: push.ImagePush) -> str:
    name = f"{image.registry}/{image.repository}" if image.registry else image.repository
    return f"{name}:{image.tag}" if image.tag else f"{name} without a tag"


def _moved(change: push.Change) -> str:
    what = f"{change.ref_type} {change.name}" if change.ref_type != "other" else change.ref
    to = f" at {change.after[:_SHORT]}" if change.after else ""
    if change.deleted:
        return f"{what} was deleted"
    if change.created:
        return f"{what} was created{to}"
    return f"{what} {'was forced' if change.forced else 'moved'} and is{to or ' elsewhere'}"


def _listed(items: Iterable[str]) -> str:
    found = list(items)
    more = len(found) - _MOST
    return ", ".join(found[:_MOST]) + (f" and {more} more" if more > 0 else "")


def _proof(verified: bool | None) -> str:
    if verified is None:
        return "no secret is known that could prove it"
    return "that is proven" if verified else "nothing proves it"


def _consequence(event: push.Event, matches: Sequence[decision.Match]) -> str:
    if not matches:
        lonely = event.kind is push.Kind.PING or event.repository is None
        return "nothing follows" if lonely and not event.images else "no project is about that"
    return _listed(map(_follows, matches))


def _follows(match: decision.Match) -> str:
    verb = {"build": "is built", "skip": "is not built", "ignore": "stays as it is"}[match.action]
    return f"{match.project.name} {verb} ({match.reason})"
