"""Projects that left the registry: what they run is stopped, what was built for them removed.

One whose entry stays and says ``kept`` is only not built any more.
"""

import contextlib
import logging
import shutil
from collections.abc import Collection

from build_hook import errors, part, registry, settings
from build_hook.deploy import checkout, containers, images, networks
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
        self._scripts = with_settings.scripts
        self._leaving: set[str] = set()

    def look(self, registered: registry.Registry) -> None:
        """Find projects that are served or built and are not registered; stop their builds.

        What serves of a project that is kept stays.
        """
        under_way = {build.project: build.id for build in self._store.running()}
        serving = {part.root(unit) for unit in self._store.serving()}
        active = {of.name for of in registered.active}
        kept = {of.name for of in registered.projects} - active
        self._leaving = (serving | under_way.keys()) - active - (kept & serving)
        for name in under_way.keys() - active:
            with contextlib.suppress(errors.StoreError):  # it takes traffic: it ends by itself
                self._store.ask_cancel(under_way[name])

    def carry_out(self, busy: Collection[str]) -> set[str]:
        """Remove those that nothing is done for at the moment; returns their names."""
        gone = self._leaving - set(busy)
        for name in gone:
            self._remove(name)
            self._leaving.discard(name)
        return gone

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
        shutil.rmtree(self._scripts / name, ignore_errors=True)
