"""Gogs, from which Gitea grew.

https://gogs.io/docs/features/webhook
"""

from build_hook.judging.forges import gitea


class Gogs(gitea.Gitea):
    """Reads Gogs' deliveries."""

    name = "gogs"
    prefix = "X-Gogs-"
