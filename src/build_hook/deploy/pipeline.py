"""A build from the queue to live: fetch, build, start, prove, swap."""

import logging

from build_hook import errors, settings
from build_hook.deploy import (
    collect,
    containers,
    cost,
    cycle,
    farewell,
    gate,
    images,
    job,
    sources,
)
from build_hook.deploy.engine import Engine
from build_hook.proxy import front
from build_hook.store import builds

_log = logging.getLogger(__name__)


class Pipeline:
    """Runs one job at a time per call; calls may run side by side, each for another project."""

    def __init__(
        self,
        with_settings: settings.Settings,
        engine: Engine,
        store: builds.Builds,
        proxy: front.Front,
    ) -> None:
        self._settings = with_settings
        self._engine = engine
        self._store = store
        self._proxy = proxy
        self._images = images.Images(engine)
        self._containers = containers.Containers(engine, with_settings.secrets)
        self._sources = sources.Sources(with_settings, engine)
        self.farewells = farewell.Farewells(with_settings, store, self._containers, proxy)
        self._cycle = cycle.Cycle(
            proxy, cost.Accountant(with_settings), self._containers, store, self.farewells
        )

    def run(self, of: job.Job) -> None:
        """Bring a build to its end, whatever that is; raises only what nobody foresaw.

        Raises:
            EngineDownError: if the engine went away; the build is queued again, or left in its
                phase if it has begun to take traffic.
        """
        try:
            self._deploy(of)
        except _Skip as skip:
            of.end(builds.Phase.SKIPPED, str(skip))
        except errors.CancelledError:
            self._undo(of)
            of.end(builds.Phase.CANCELLED, "cancelled before it took traffic")
        except errors.SupersededError as error:
            self._undo(of)
            of.end(builds.Phase.SUPERSEDED, error.message)
        except errors.EngineDownError as error:
            of.log.headline(f"waiting: {error}")
            if not self._store.get(of.build.id).phase.takes_traffic:
                self._store.requeue(of.build.id, str(error))
            raise
        except errors.WatchError as error:
            self._roll_back(of, error)
        except errors.BuildHookError as error:
            self._fail(of, str(error), retry=error.is_passing)
        except Exception as error:
            _log.exception("build %s: unforeseen", of.build.id)
            self._fail(of, f"Unforeseen: {error!r}. This is a fault of build-hook: report it")
        else:
            self._tidy(of)

    def resume(self, of: job.Job, candidate: containers.Container) -> None:
        """Finish a build that a crash caught after it had begun to take traffic.

        Raises:
            EngineDownError: if the engine went away; the build is left in its phase.
        """
        try:
            self._cycle.replace(of, candidate, self.serving(of))
        except errors.EngineDownError:
            raise
        except errors.WatchError as error:
            self._roll_back(of, error)
        except errors.BuildHookError as error:
            self._fail(of, str(error), retry=error.is_passing)
        else:
            self._tidy(of)

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

    def _deploy(self, of: job.Job) -> None:
        if of.build.source is None:
            self._proxy.require(of.project)
            self._build(of)
        else:
            self._take_source(of)
        old = self.serving(of)
        if of.project.strategy == "recreate" and old is not None:
            self._cycle.recreate(of, lambda: self._start(of), old)
        else:
            self._cycle.replace(of, self._start(of), old)

    def _tidy(self, of: job.Job) -> None:
        """Make room after a build is live; what goes wrong here changes nothing of that."""
        try:
            if of.build.source is None:
                self._sources.of(of.project).keep(of)
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
        self._skip_if_not_wanted(of, source, found.message)

        of.enter(builds.Phase.BUILDING)
        of.image = source.make(of).image
        self._store.note(of.build.id, image=of.image)

    def _take_source(self, of: job.Job) -> None:
        """A roll-back: the image, settings and commit of an earlier build, nothing is built."""
        source = self._store.get(of.build.source or 0)
        if not source.image or not self._images.exists(source.image):
            raise errors.ImageError(
                f"The image of build {source.id} is gone",
                f"Choose another: build-hook builds {of.project.name}",
            )
        of.project = job.deployed_with(source, of.project)
        self._proxy.require(of.project)
        of.commit, of.image = source.commit or "", source.image
        self._store.note(
            of.build.id,
            commit_id=source.commit,
            message=source.message,
            image=source.image,
            settings=of.project.model_dump_json(exclude_defaults=True),
        )
        of.log(f"image of build {source.id}, {of.commit}")

    def _skip_if_not_wanted(self, of: job.Job, source: sources.Source, message: str) -> None:
        """A person's deploy is always done; a push is not, where it would change nothing."""
        if of.build.cause in (builds.Cause.DEPLOY, builds.Cause.ROLLBACK):
            return
        if of.project.after_ci and of.build.commit not in (None, of.commit):
            raise _Skip(f"{of.build.ref} is at {of.commit[:10]} by now, whose own CI decides")
        word = next((word for word in of.project.skip_words if word in message), None)
        if word is not None:
            raise _Skip(f"the head commit says {word}")
        serving = self._store.serving().get(of.project.name)
        if serving is None:
            return
        live = self._store.get(serving.build)
        if job.deployed_with(live, of.project).runs_as != of.project.runs_as:
            return
        if live.commit == of.commit:
            raise _Skip(f"build {live.id} of the same commit is live")
        if not source.has_changed(of, live.commit or ""):
            raise _Skip(f"no file of {', '.join(of.project.paths)} has changed since it went live")

    def _start(self, of: job.Job) -> containers.Container:
        of.enter(builds.Phase.STARTING)
        new = self._containers.start(of.project, of.build.id, of.commit, of.image)
        self._store.note(of.build.id, container=new.id)

        of.enter(builds.Phase.GATING)
        return gate.prove(of.project, lambda: self._containers.look(new.id), of.check_stop, of.log)

    def _roll_back(self, of: job.Job, error: errors.WatchError) -> None:
        serving = self._store.serving().get(of.project.name)
        if serving is None or serving.build == of.build.id:
            self._fail(of, f"{error}. There is no earlier version to go back to")
            return
        self._undo(of)
        of.end(builds.Phase.ROLLED_BACK, f"{error}. Build {serving.build} serves again")

    def _fail(self, of: job.Job, reason: str, *, retry: bool = False) -> None:
        phase = self._store.get(of.build.id).phase
        self._undo(of)
        self._store.fail(of.build.id, of.log.redact(f"{phase}: {reason}"), retry=retry)
        of.log.headline(f"failed: {reason}")

    def _undo(self, of: job.Job) -> None:
        """Remove the candidate, if there is one and it does not serve."""
        serving = self._store.serving().get(of.project.name)
        if serving and serving.build == of.build.id:
            return
        try:
            left = self._containers.of_build(of.project.name, of.build.id)
            if left is not None:
                of.log("last lines of the container:")
                for line in self._containers.last_lines(left.id):
                    of.log(f"  {line}")
                self._containers.remove(left.id)
        except errors.BuildHookError as error:
            of.log(f"could not clean up yet: {error}")


class _Skip(Exception):  # noqa: N818 - not an error
    """The build is not needed; its text says why."""
