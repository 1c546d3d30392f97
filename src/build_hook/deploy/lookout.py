"""Notes which containers serve, for the processes that may not ask the engine."""

import pathlib
import threading

from build_hook.deploy import containers, sightings
from build_hook.store import builds


class Lookout:
    """Looks when it is told to; the file changes only when something has."""

    def __init__(
        self, run: pathlib.Path, store: builds.Builds, engine: containers.Containers
    ) -> None:
        self._run = run
        self._store = store
        self._containers = engine
        self._seen: sightings.Seen | None = None
        self._lock = threading.Lock()

    def look(self) -> None:
        """Write down what serves now, all of it by one question to the engine.

        Raises:
            EngineDownError: if it does not answer; what was seen last stays.
        """
        with self._lock:
            serving = self._store.serving()
            seen = {
                box.unit: tuple(_seen(one) for one in box.every)
                for box in self._containers.roll_call()
                if box.unit in serving and serving[box.unit].build == box.build
            }
            if seen != self._seen:
                sightings.write(self._run, seen)
                self._seen = seen


def _seen(one: containers.Container) -> sightings.Sighting:
    return sightings.Sighting(
        id=one.id, name=one.name, replica=one.replica, status=one.status, health=one.health
    )
