"""What serves stays served: a new address is followed, a removed container is made anew."""

import logging
import threading
import time
from collections.abc import Callable

from build_hook import part, settings, wake
from build_hook.deploy import containers, engine, images, lookout, steady
from build_hook.deploy.ensemble import names
from build_hook.proxy import front
from build_hook.store import builds, parts

_log = logging.getLogger(__name__)
_RETRY = 1.0
_BACK = (builds.Phase.FAILED, builds.Phase.CANCELLED, builds.Phase.ROLLED_BACK)


def remake(
    store: builds.Builds,
    shelf: images.Images,
    lost: builds.Serving,
    is_held: Callable[[builds.Build], bool] = lambda build: False,
) -> None:
    """Ask for the container that serves a project again: same image, same settings.

    Not while a build waits for its turn or is under way, which brings one by itself; one that is
    held gives way, and is found again by a look at its repository. Without its image the version
    is built again.
    """
    waits = [*(build for build in store.queued() if not is_held(build)), *store.running()]
    if any(build.project == part.root(lost.project) for build in waits):
        return
    if lost.project != part.root(lost.project):
        _remake_service(store, shelf, lost)
        return
    build = store.get(lost.build)
    has_image = build.image is not None and shelf.exists(build.image)
    if not has_image:
        store.forget_serving(lost.project)
    _log.warning("%s: the container of build %s is gone, making it anew", lost.project, build.id)
    store.add(
        builds.Request(
            lost.project,
            build.ref,
            builds.Cause.RECONCILE,
            build.commit,
            source=build.id if has_image else None,
        )
    )


def is_remake(build: builds.Build) -> bool:
    """Whether a build was to bring back what somebody removed."""
    return build.cause is builds.Cause.RECONCILE and build.source is not None


def _remake_service(store: builds.Builds, shelf: images.Images, lost: builds.Serving) -> None:
    """Deploy the whole project as it is: what runs is left, the one that is gone is made anew."""
    root = part.root(lost.project)
    whole = store.serving().get(root)
    store.forget_serving(lost.project)
    if whole is not None:
        build = store.get(whole.build)
        pieces = parts.read(store.session, build.id)
        has_images = bool(pieces) and all(shelf.exists(piece.image) for piece in pieces)
        source = build.id if has_images else None
        _log.warning("%s: the container of build %s is gone", lost.project, lost.build)
        store.add(
            builds.Request(root, build.ref, builds.Cause.RECONCILE, build.commit, source=source)
        )


class Tender(threading.Thread):
    """Follows the engine's events; looks at everything when the engine comes (back)."""

    def __init__(
        self,
        with_settings: settings.Settings,
        store: builds.Builds,
        docker_engine: engine.Engine,
        proxy: front.Front,
        is_held: Callable[[builds.Build], bool],
    ) -> None:
        super().__init__(name="tender", daemon=True)
        self._store = store
        self._containers = containers.Containers(docker_engine, with_settings)
        self._images = images.Images(docker_engine)
        self._proxy = proxy
        self._is_held = is_held
        self._names = names.Names(self._containers, docker_engine.instance)
        self._run = with_settings.run
        self._stopped: set[str] = set()  # projects in which a build may have left nobody running
        self._lookout = lookout.Lookout(self._run, store, self._containers)

    def run(self) -> None:
        """Follow, for as long as the process lives."""
        steady.forever(self._tend, _RETRY, steady.Rounds(_log, "what serves is not followed"))

    def look(self, name: str) -> None:
        """Make sure that what serves a project is there."""
        rows = self._store.serving()
        serving = rows.get(name)
        if serving is None or any(part.root(unit) == name != unit for unit in rows):
            return  # a project of services has no container of its own
        found = self._containers.of_build(name, serving.build)
        if found is not None:
            if found.service:
                self._names.mend(found)
            return
        remake(self._store, self._images, serving, self._is_held)
        wake.send(self._run)

    def after(self, ended: builds.Build) -> None:
        """Look when a build has ended: what serves may have been removed meanwhile.

        Not after one that was to bring it back: that could go on for ever.
        """
        rounds = steady.Rounds(_log, ended.project)
        rounds.go(self._lookout.look)
        if ended.phase in _BACK:
            self._stopped.add(ended.project)
            rounds.go(self._revive)
        if not is_remake(ended):
            rounds.go(lambda: self.look(ended.project))

    # Private

    def _tend(self) -> None:
        """Look at everything, then follow what happens until the engine goes away."""
        now = time.time()
        self._revive()
        found = self._containers.roll_call()
        for each in found:
            self._refresh(each)
        self._find_lost({(each.unit, each.build) for each in found})
        self._lookout.look()
        self._follow(now)

    def _revive(self) -> None:
        """Start what serves again, where a build could not do so when it went back.

        One that is under way looks after its project by itself.
        """
        busy = {build.project for build in self._store.running()}
        for name in self._stopped - busy:
            serving = self._store.serving()
            for found in self._containers.all(name):
                row = serving.get(found.unit)
                is_alive = any(one.is_running for one in found.every)
                if row is not None and row.build == found.build and not is_alive:
                    _log.warning("%s serves and does not run: it is started again", found.name)
                    self._refresh(self._containers.resume(found.id))
            self._stopped.discard(name)

    def _follow(self, since: float) -> None:
        for event in self._containers.events(since):
            if event.is_end:
                self.look(event.project)
            elif (found := self._containers.inspect(event.container)) is not None:
                self._refresh(found)
            self._lookout.look()

    def _find_lost(self, there: set[tuple[str, int]]) -> None:
        for name, serving in self._store.serving().items():
            if (name, serving.build) not in there:
                self.look(name)

    def _refresh(self, found: containers.Container) -> None:
        """Send traffic to where a version that serves is now.

        The addresses are looked up before what serves, and a switch records what serves before it
        moves: so addresses that are still known here are those of what serves. A replica that
        ended is passed over until it is back; the last one is never taken away, and one that is
        not known yet is left to who started it. The name of a service goes to a replica that runs.
        """
        known = self._proxy.addresses(found.unit)
        serving = self._store.serving().get(found.unit)
        if serving is None or serving.build != found.build:
            return
        if found.service and not all(one.is_running for one in found.every):
            self._names.mend(found)
        if not known:
            return
        now = (*found.addresses, *[""] * len(known))[: len(known)]
        if any(now) and now != known:
            _log.info("%s is at %s", found.name, ", ".join(filter(None, now)))
            self._proxy.move(found.unit, known, now)
