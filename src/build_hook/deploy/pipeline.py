"""A build from the queue to live: fetch, build, start, prove, swap."""

import logging
from collections.abc import Callable

from build_hook import deployed, errors, settings
from build_hook.deploy import (
    autopsy,
    checkout,
    collect,
    confided,
    containers,
    cost,
    cycle,
    farewell,
    gate,
    images,
    job,
    leftovers,
    scripted,
    sources,
    spoken,
    tally,
    wanted,
)
from build_hook.deploy.engine import Engine
from build_hook.deploy.ensemble import group as ensemble
from build_hook.proxy import fronts
from build_hook.store import builds, parts

_log = logging.getLogger(__name__)


class Pipeline:
    """Runs one job at a time per call; calls may run side by side, each for another project."""

    def __init__(
        self,
        with_settings: settings.Settings,
        engine: Engine,
        store: builds.Builds,
        proxy: fronts.Fronts,
    ) -> None:
        self._settings = with_settings
        self._engine = engine
        self._store = store
        self._proxy = proxy
        self._images = images.Images(engine)
        self._containers = containers.Containers(engine, with_settings)
        self._confided = confided.Confided(with_settings)
        self._scripted = scripted.Scripted(engine, self._containers, self._confided)
        self._sources = sources.Sources(with_settings, engine)
        self.farewells = farewell.Farewells(with_settings, store, self._containers, proxy)
        self._wanted = wanted.Wanted(store, self._images)
        mirrors = checkout.Repositories(with_settings)
        self._autopsy = autopsy.Autopsy(store, self._containers, mirrors)
        accounts, tallies = cost.Accountant(with_settings), tally.Tallies(with_settings)
        self._cycle = cycle.Cycle(
            proxy, accounts, tallies, self._containers, store, self.farewells
        )
        self._parts = parts.Parts(with_settings.database)
        self._ensemble = ensemble.Ensemble(
            with_settings, proxy, self._containers, store, self.farewells
        )

    def run(self, of: job.Job) -> None:
        """Bring a build to its end, whatever that is.

        Raises:
            EngineDownError: if the engine went away; the build is queued again, or left in its
                phase if it has begun to take traffic, or stopped what served.
        """
        self._finish(of, lambda: self._deploy(of))

    def resume(self, of: job.Job, candidate: containers.Container | None) -> None:
        """Finish a build that a crash caught after it had begun to take traffic.

        Raises:
            EngineDownError: if the engine went away; the build is left in its phase.
        """
        if candidate is None:
            self._finish(of, lambda: self._ensemble.resume(of))
        else:
            self._finish(of, lambda: self._cycle.replace(of, candidate, self.serving(of)))

    def serving(self, of: job.Job) -> job.Version | None:
        """The version that served before this build."""
        serving = self._store.serving().get(of.project.name)
        before = serving and (serving.previous if serving.build == of.build.id else serving.build)
        if before is None:
            return None
        found = self._containers.of_build(of.project.name, before)
        if found is None:
            return None
        return job.Version(found, job.deployed_with(self._store.get(before), of.project))

    # Private

    def _finish(self, of: job.Job, act: Callable[[], None]) -> None:
        try:
            act()
        except wanted.NotWantedError as error:
            leftovers.take_back(
                of, self._containers, self._confided
            )  # scripts may have started one
            of.end(builds.Phase.SKIPPED, error.message)
        except errors.CancelledError:
            leftovers.take_back(of, self._containers, self._confided)
            of.end(builds.Phase.CANCELLED, "cancelled before it took traffic")
        except errors.SupersededError as error:
            leftovers.take_back(of, self._containers, self._confided)
            of.end(builds.Phase.SUPERSEDED, error.message)
        except errors.EngineDownError as error:
            of.log.headline(f"waiting: {error}")
            if not (of.has_stopped or self._store.get(of.build.id).phase.takes_traffic):
                self._store.requeue(of.build.id, str(error))
            raise
        except errors.WatchError as error:
            self._roll_back(of, error)
        except errors.BuildHookError as error:
            self._fail(of, str(error), error)
        except Exception as error:
            _log.exception("build %s: unforeseen", of.build.id)
            self._fail(of, f"Unforeseen: {error!r}. This is a fault of build-hook: report it")
        else:
            self._tidy(of)

    def _deploy(self, of: job.Job) -> None:
        there = self._containers.all(of.project.name)
        leftovers.sweep(there, self._store, self.farewells, self._containers)
        if of.build.source is None:
            self._proxy.require(of.project)
            self._build(of)
        else:
            self._take_source(of)
        if of.project.compose is not None:
            self._ensemble.deploy(of)
            return
        old = self.serving(of)
        if of.project.stops_first and old is not None:
            self._cycle.recreate(of, lambda: self._start(of), old)
        else:
            self._cycle.replace(of, self._start(of), old)

    def _tidy(self, of: job.Job) -> None:
        """Make room after a build is live; what goes wrong here changes nothing of that."""
        try:
            if of.build.source is None:
                self._sources.of(of.project).keep(of)
            if of.project.compose is None:
                self._ensemble.forget(of.project.name)
            collect.tidy(of.project.name, self._settings, self._store, self._images)
        except errors.BuildHookError as error:
            of.log(f"could not tidy up: {error}")

    def _build(self, of: job.Job) -> None:
        source = self._sources.of(of.project)
        of.enter(builds.Phase.FETCHING)
        found = source.find(of)
        of.commit = found.commit
        headline = found.message.partition("\n")[0]
        self._store.note(of.build.id, commit_id=of.commit, message=headline)
        of.log(f"{of.commit} {headline}")
        self._wanted.check_commit(of, source, found.message)

        of.enter(builds.Phase.BUILDING)
        made = source.make(of)
        of.image = made.image
        self._store.note(of.build.id, image=of.image)
        of.project = made.project or of.project
        self._proxy.require(of.project)
        self._wanted.check_image(of)

    def _take_source(self, of: job.Job) -> None:
        """A roll-back: the image, settings and commit of an earlier build, nothing is built."""
        source = self._store.get(of.build.source or 0)
        pieces = self._parts.of(source.id)
        needed = [piece.image for piece in pieces] or [source.image or ""]
        if not all(image and self._images.exists(image) for image in needed):
            raise errors.ImageError(
                f"The image of build {source.id} is gone",
                f"Choose another: build-hook builds {of.project.name}",
            )
        self._parts.put(of.build.id, pieces)
        of.project = job.deployed_with(source, of.project)
        self._proxy.require(of.project)
        of.commit, of.image = source.commit or "", source.image or ""
        self._store.note(
            of.build.id,
            commit_id=source.commit,
            message=source.message,
            image=source.image,
            settings=source.settings or of.project.model_dump_json(exclude_defaults=True),
            overlay=source.overlay,
        )
        of.log(f"image of build {source.id}, {of.commit}")

    def _start(self, of: job.Job) -> containers.Container:
        of.enter(builds.Phase.STARTING)
        new = self._launch(of)
        self._store.note(of.build.id, container=new.id)

        of.enter(builds.Phase.GATING)
        fit = gate.prove(of.project, lambda: self._containers.look(new.id), of.check_stop, of.log)
        if isinstance(of.project, deployed.Deployed):
            self._runs_as(of, spoken.settled(of.project, fit.address))
        return fit

    def _launch(self, of: job.Job) -> containers.Container:
        self._confided.keep(of.project, of.build.id, of.build.source, of.log)
        if isinstance(of.project, deployed.Deployed) and of.project.run_line:
            return self._scripted.start(of.project, of.build.id, of.commit, of.image)
        return self._containers.start(of.project, of.build.id, of.commit, of.image)

    def _runs_as(self, of: job.Job, said: deployed.Deployed) -> None:
        of.project = said
        self._store.note(of.build.id, settings=said.model_dump_json(exclude_defaults=True))

    def _roll_back(self, of: job.Job, error: errors.WatchError) -> None:
        serving = self._store.serving().get(of.project.name)
        if serving is None or serving.build == of.build.id:
            self._fail(of, f"{error}. There is no earlier version to go back to", error)
            return
        reason = f"{error}. Build {serving.build} serves again"
        is_cancelled = isinstance(error, errors.TakenBackError)
        if not is_cancelled:
            self._autopsy.record(of, self._store.get(of.build.id).phase, reason, error)
        leftovers.take_back(of, self._containers, self._confided)
        of.end(builds.Phase.CANCELLED if is_cancelled else builds.Phase.ROLLED_BACK, reason)

    def _fail(self, of: job.Job, reason: str, error: errors.BuildHookError | None = None) -> None:
        phase = self._store.get(of.build.id).phase
        self._autopsy.record(of, phase, reason, error)
        leftovers.take_back(of, self._containers, self._confided)
        retry = error is not None and error.is_passing
        self._store.fail(of.build.id, of.log.redact(f"{phase}: {reason}"), retry=retry)
        of.log.headline(f"failed: {reason}")
        of.log(f"what differs from the last good one, and more: build-hook show {of.build.id}")
