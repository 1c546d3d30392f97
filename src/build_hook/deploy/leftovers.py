"""Containers of ours that nothing refers to: a crash left them, or an engine that went away."""

import logging
from collections.abc import Iterable

from build_hook import errors, part
from build_hook.deploy import confided, containers, farewell, job
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


def take_back(of: job.Job, engine: containers.Containers, secrets: confided.Confided) -> None:
    """Remove the candidates of a build, and what they were told, if they do not serve."""
    serving = of.store.serving()
    served = {unit for unit, row in serving.items() if row.build == of.build.id}
    try:
        for left in engine.all(of.project.name):
            if left.build != of.build.id or left.unit in served:
                continue
            of.log(f"last lines of {left.service or 'the container'}:")
            for line in engine.last_lines(left.id):
                of.log(f"  {line}")
            engine.remove(left.id)
        if not any(part.root(unit) == of.project.name for unit in served):
            secrets.drop(of.project.name, of.build.id)
    except errors.BuildHookError as error:
        of.log(f"could not clean up yet: {error}")


def remove(one: containers.Container, engine: containers.Containers) -> None:
    """Remove a container; one that the engine does not let go stays, and stops nothing else.

    Raises:
        EngineDownError: if the engine went away.
    """
    try:
        engine.remove(one.id)
    except errors.ContainerError as error:
        _log.error("%s stays for now: %s", one.name, error)
