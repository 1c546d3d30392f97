"""Containers of ours that nothing refers to: a crash left them, or an engine that went away."""

import logging
from collections.abc import Iterable

from build_hook import errors
from build_hook.deploy import containers, farewell
from build_hook.store import builds

_log = logging.getLogger(__name__)


def sweep(
    found: Iterable[containers.Container],
    store: builds.Builds,
    farewells: farewell.Farewells,
    engine: containers.Containers,
) -> None:
    """Remove what neither serves, served last, says farewell nor is under way.

    Raises:
        EngineDownError: if the engine went away.
    """
    wanted = {build.id for build in store.running()} | farewells.builds()
    for serving in store.serving().values():
        wanted |= {serving.build, serving.previous or 0}
    for one in found:
        if one.build not in wanted:
            _log.info("removing %s, which nothing refers to", one.name)
            remove(one, engine)


def remove(one: containers.Container, engine: containers.Containers) -> None:
    """Remove a container; one that the engine does not let go stays, and stops nothing else.

    Raises:
        EngineDownError: if the engine went away.
    """
    try:
        engine.remove(one.id)
    except errors.ContainerError as error:
        _log.error("%s stays for now: %s", one.name, error)
