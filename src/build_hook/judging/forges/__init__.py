"""Git hosts: whose delivery is it, is it genuine, what does it say.

One file per host. ``detect`` looks at the headers alone, most specific first: Forgejo sends
Gitea's headers as well, Gitea sends those of Gogs, and all three send GitHub's.
"""

from build_hook.judging.forges import (
    azure,
    bitbucket_cloud,
    bitbucket_dc,
    bitbucket_legacy,
    dockerhub,
    forgejo,
    generic,
    gitea,
    github,
    gitlab,
    gogs,
    harbor,
    payload,
    registry,
    standard_webhooks,
)
from build_hook.judging.forges.base import Forge, Headers, UnreadableError

__all__ = ["NAMES", "Forge", "Headers", "UnreadableError", "by_name", "decode", "detect"]

decode = payload.decode

_ALL: tuple[Forge, ...] = (
    forgejo.Forgejo(),
    gitea.Gitea(),
    gogs.Gogs(),
    gitlab.GitLab(),
    bitbucket_cloud.BitbucketCloud(),
    bitbucket_dc.BitbucketDC(),
    bitbucket_legacy.BitbucketLegacy(),
    azure.Azure(),
    standard_webhooks.StandardWebhooks(),
    registry.Registry(),
    dockerhub.DockerHub(),
    harbor.Harbor(),
    github.GitHub(),
    generic.Generic(),
)
_FORGES = {forge.name: forge for forge in _ALL}
NAMES = tuple(_FORGES)

# the first header that is there decides
_MARKS = (
    ("x-forgejo-event", "forgejo"),
    ("x-gitea-event", "gitea"),
    ("x-gogs-event", "gogs"),
    ("x-gitlab-event", "gitlab"),
    ("x-vss-subscriptionid", "azure-devops"),
    ("webhook-signature", "standard-webhooks"),
    ("x-github-event", "github"),
)
# Bitbucket's two products share X-Event-Key, and mostly not its values
_DC_EVENTS = ("pr:", "proj:", "mirror:", "diagnostics:", "repo:refs_changed", "repo:modified")
_CLOUD_EVENTS = (
    "pullrequest:",
    "issue:",
    "repo:push",
    "repo:commit_",
    "repo:updated",
    "repo:transfer",
    "repo:created",
    "repo:deleted",
    "repo:imported",
)


def detect(headers: Headers) -> Forge:
    """The host whose headers these are; the generic one if they are nobody's."""
    for header, name in _MARKS[:4]:
        if header in headers:
            return _FORGES[name]
    if "x-event-key" in headers:
        return _FORGES[_bitbucket(headers)]
    for header, name in _MARKS[4:]:
        if header in headers:
            return _FORGES[name]
    return _FORGES[_by_content(headers)]


def by_name(name: str) -> Forge:
    """The host of that name."""
    return _FORGES[name]


def _bitbucket(headers: Headers) -> str:
    event = headers["x-event-key"]
    if event.startswith(_DC_EVENTS):
        return "bitbucket-dc"
    is_cloud = "x-hook-uuid" in headers or "x-request-uuid" in headers
    return "bitbucket-cloud" if is_cloud or event.startswith(_CLOUD_EVENTS) else "bitbucket-dc"


def _by_content(headers: Headers) -> str:
    if payload.content_type(headers).startswith(registry.CONTENT_TYPE):
        return "registry"
    is_azure = headers.get("user-agent", "").startswith("VSServices")
    return "azure-devops" if is_azure else "generic"
