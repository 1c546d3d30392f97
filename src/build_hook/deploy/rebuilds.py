"""Scheduled rebuilds: what serves is built again, on a fresh base image."""

import time
from collections.abc import Iterable, Iterator

from build_hook import project, settings, timetable, zones
from build_hook.store import builds

_LOOK_EVERY = 10.0


class Rebuilds:
    """Asks for those that are due; one that a stopped machine missed is caught up with."""

    def __init__(self, with_settings: settings.Settings, store: builds.Builds) -> None:
        self._settings = with_settings
        self._store = store
        self._next_look = 0.0

    def ask(self, projects: Iterable[project.Project]) -> None:
        """Look a few times a minute, and queue what is due."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + _LOOK_EVERY
        for request in due(projects, self._settings, self._store, time.time()):
            self._store.add(request)


def due(
    projects: Iterable[project.Project],
    with_settings: settings.Settings,
    store: builds.Builds,
    now: float,
) -> Iterator[builds.Request]:
    """The rebuilds that are due: of the commit that serves, whatever came to its branch since.

    None for a project that is being built anyway.
    """
    serving = store.serving()
    for of in projects:
        live = serving.get(of.name)
        if of.rebuild is None or live is None:
            continue
        zone = of.time_zone or with_settings.time_zone
        table = timetable.parse(of.rebuild)
        slot = zones.moment(table.last(zones.wall_clock(now, zone)), zone)
        recent = store.recent(of.name)
        is_busy = bool(recent) and recent[0].finished is None
        build = store.get(live.build)
        if not is_busy and slot > max(_chosen(build, store), _last_try(recent)):
            yield builds.Request(
                of.name, build.ref, builds.Cause.REBUILD, build.commit, fresh=True
            )


def _chosen(live: builds.Build, store: builds.Builds) -> float:
    """When what serves was built, or was gone back to: a person who does that has seen the image.

    That a container was made anew changes nothing of its age.
    """
    while live.cause is builds.Cause.RECONCILE and live.source is not None:
        live = store.get(live.source)
    return live.created


def _last_try(recent: Iterable[builds.Build]) -> float:
    return max((b.created for b in recent if b.cause is builds.Cause.REBUILD), default=0.0)
