"""Projects whose relation is gone and whose containers are to serve on."""

from charms.docker_build_hook.v0 import dockerfile

import config
import outcomes
from build_hook import project, registry


def of(
    wanted: config.Config, here: list[dockerfile.Request], present: registry.Registry
) -> dict[str, project.Project | None]:
    """Those that were registered, serve, and are asked for by nobody any more.

    They have a place beside the others, so that nobody else gets their ports.
    """
    if wanted.on_removal == "stop":
        return {}
    asked = {
        (request.project.name if request.project else None) or request.app for request in here
    }
    gone = [entry for entry in present.projects if entry.name not in asked]
    serving = outcomes.serving(wanted.product) if gone else None
    no_more = {"kept": True, "webhook_secrets": (), "allow_unsigned": False}
    return {
        f"{entry.name} (kept)": entry.model_copy(update=no_more)
        for entry in gone
        if serving is None or entry.name in serving  # in doubt nothing is stopped
    }
