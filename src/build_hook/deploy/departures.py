"""Projects that left the registry: what they run is stopped, what was built for them removed.

One whose entry stays and says ``kept`` is only not built any more.
"""

import contextlib
import logging
import shutil
from collections.abc import Collection

from build_hook import errors, part, registry, settings
from build_hook.deploy import checkout, confided, containers, images, networks
from build_hook.deploy.engine import Engine
from build_hook.store import builds

_log = logging.getLogger(__name__)


class Departures:
    """Knows who has to go; one whose build is under way goes when that has ended."""

    def __init__(
        self, with_settings: settings.Settings, engine: Engine, store: builds.Builds
    ) -> None:
        self._store = store
        self._containers = containers.Containers(engine, with_settings)
        self._images = images.Images(engine)
        self._networks = networks.Networks(engine)
        self._repositories = checkout.Repositories(with_settings)
        self._confided = confided.Confided(with_settings)
        self._scripts = with_settings.scripts
        self._registered: registry.Registry | None = None
        self._leaving: set[str] = set()

    def look(self, registered: registry.Registry) -> None:
        """Take a registry to go by; builds of projects that are not in it are stopped."""
        self._registered = registered
        active = {of.name for of in registered.active}
        for build in self._store.running():
            if build.project not in active and not build.phase.takes_traffic:
                with contextlib.suppress(errors.StoreError):  # it ends by itself
                    self._store.ask_cancel(build.id)

    def carry_out(self, busy: Collection[str]) -> set[str]:
        """Remove those that nothing is done for at the moment; returns their names.

        Raises:
            EngineDownError: if the engine went away; it is gone on with the next time.
        """
        if self._registered is not None:
            self._leaving = self._find(self._registered)
            self._registered = None
        gone: set[str] = set()
        for name in self._leaving - set(busy):
            try:
                self._remove(name)
            except errors.ContainerError as error:
                _log.error("%s: %s", name, error)
                continue
            gone.add(name)
        self._leaving -= gone
        return gone

    # Private

    def _find(self, registered: registry.Registry) -> set[str]:
        """Projects that anything is left of and that are not registered.

        What serves of a project that is kept stays.
        """
        serving = {part.root(unit) for unit in self._store.serving()}
        active = {of.name for of in registered.active}
        kept = {of.name for of in registered.projects} - active
        left = serving | {build.project for build in self._store.running()}
        left |= {box.project for box in self._containers.roll_call()}
        left |= {image.project for image in self._images.all()}
        left |= self._repositories.names()
        left |= {folder.name for folder in self._scripts.glob("[!.]*")}
        return left - active - (kept & serving)

    def _remove(self, name: str) -> None:
        _log.info("%s has left the registry, removing its containers and images", name)
        for build in self._store.running():
            if build.project == name:
                self._store.enter(build.id, builds.Phase.CANCELLED, "its project was removed")
        self._store.forget_serving(name)
        for found in self._containers.all(name):
            self._containers.remove(found.id)
        for image in self._images.all(name):
            self._images.remove(image)
        self._networks.forget(name)
        self._repositories.forget(name)
        self._confided.forget(name)
        shutil.rmtree(self._scripts / name, ignore_errors=True)
