"""Deploys again what runs with a secret that has another content now."""

import contextlib
import logging

from build_hook import errors, orders, registry, settings
from build_hook.store import builds

_log = logging.getLogger(__name__)


def deploy_again(
    options: settings.Settings, projects: registry.Registry, changed: frozenset[str]
) -> None:
    """Ask for a build of every project whose environment comes from one of those files.

    Fields of the registry bring a deploy by themselves; a file behind the same name does not.
    """
    outdated = [p for p in projects.projects if changed & set(p.env_file)]
    if not outdated or not options.database.exists():
        return
    try:
        with contextlib.closing(builds.Builds(options.database)) as store:
            for project in outdated:
                orders.Orders(store, options.run).deploy(project)
    except errors.BuildHookError as error:
        _log.error("A changed secret waits for the next deploy: %s", error)
