"""Gogs, from which Gitea grew.

https://gogs.io/docs/features/webhook
"""

from build_hook.forges import gitea


class Gogs(gitea.Gitea):
    """Reads Gogs' deliveries."""

    name = "gogs"
    prefix = "X-Gogs-"
