"""The worker: takes queued builds, one per project at a time, and changes the world."""

import logging
import os
import signal

from build_hook import errors, registry, settings, wake
from build_hook.deploy import (
    adoption,
    condition,
    containers,
    crew,
    departures,
    housekeeping,
    job,
    lock,
    pipeline,
    rebuilds,
    reconcile,
    recover,
    reporter,
    retries,
    scale,
    sources,
    steady,
    tend,
    turns,
    upkeep,
)
from build_hook.deploy.engine import Engine
from build_hook.proxy import fronts
from build_hook.store import builds, repair

_log = logging.getLogger(__name__)
_LOOK_EVERY = 1.0


class Worker:
    """Wires everything right of the inbox; there is one per state folder."""

    def __init__(self, with_settings: settings.Settings) -> None:
        self._settings = with_settings
        self._lock_file = lock.take(with_settings)
        self._listener = wake.Listener(with_settings.run)
        self._damaged = repair.ensure_sound(with_settings.database)
        self._store = builds.Builds(with_settings.database)
        self._engine = Engine(with_settings.docker_host, with_settings.instance)
        self._containers = containers.Containers(self._engine, with_settings)
        self._proxy = fronts.Fronts(with_settings)
        self._pipeline = pipeline.Pipeline(with_settings, self._engine, self._store, self._proxy)
        self._registry = registry.Reader(with_settings.registry)
        self._turns = turns.Turns(with_settings, self._store, self._registry)
        self._tender = tend.Tender(
            with_settings, self._store, self._engine, self._proxy, self._turns.is_held
        )
        self._departures = departures.Departures(with_settings, self._engine, self._store)
        self._reconciler = reconcile.Reconciler(
            self._store,
            lambda: self._registry.current.active,
            with_settings.reconcile_interval,
            self._wake,
            sources.Sources(with_settings, self._engine),
        )
        self._crew = crew.Crew(
            with_settings, self._store, self._pipeline, self._registry, self._turns, self._after
        )
        self._rebuilds = rebuilds.Rebuilds(with_settings, self._store)
        self._retries = retries.Retries(self._store)
        self._scaler = scale.Scaler(self._store, self._containers, self._proxy, self._crew.busy)
        self._reporter = reporter.Reporter(with_settings.run)
        self._ended: int | None = None

    def run(self) -> None:
        """Work until SIGTERM; a worker that dies at any moment resumes on its next start."""
        signal.signal(signal.SIGTERM, _stop)
        rounds = steady.Rounds(_log, "the worker")
        self._registry.refresh()
        self._keep_registry()
        self._report(None)
        self._engine.wait(self._report)
        self._recover()
        self._tender.start()
        self._pipeline.farewells.start()
        self._reconciler.start()
        housekeeping.Housekeeper(
            self._settings,
            upkeep.Upkeep(self._settings, self._engine, self._store),
            lambda: [of.name for of in self._registry.current.projects],
        ).start()
        _log.info("ready, %d projects", len(self._registry.current.projects))
        while True:
            nudges = self._listener.wait(_LOOK_EVERY)
            if wake.Nudge.RECONCILE in nudges:
                self._reconciler.nudge()
            rounds.go(self._round)
            lock.beat(self._lock_file)

    # Private

    def _round(self) -> None:
        try:
            before = self._registry.current
            if self._registry.refresh():
                self._keep_registry()
                self._registry_changed(before)
            self._see_off()
            self._proxy.look()
            self._rebuilds.ask(self._registry.current.active)
            self._retries.ask(self._registry.current.active)
            self._start_builds()
            self._scaler.work(self._registry.current.projects)
            self._report(None)
        except errors.EngineDownError as error:
            self._report(str(error))
        except errors.DamagedStoreError as error:
            crew.leave(error)

    def _recover(self) -> None:
        recovery = recover.Recovery(
            self._settings, self._store, self._containers, self._pipeline.farewells
        )
        sources.prepare(self._settings)
        projects = self._registry.current.projects
        if self._damaged is not None:
            adoption.adopt(self._settings, self._store, self._containers.all(), projects)
        unfinished = recovery.sort_out()
        self._proxy.publish(projects, recovery.adopt(projects))
        recovery.sweep()
        gone = self._see_off(look=not self._registry.problem)
        for item in unfinished:
            if item.build.project not in gone:
                self._crew.resume(item)

    def _registry_changed(self, before: registry.Registry) -> None:
        projects = self._registry.current.projects
        _log.info("the registry has changed: %d projects", len(projects))
        self._departures.look(self._registry.current)
        for origin in self._registry.current.news(before):  # nobody else is asked
            self._reconciler.nudge(origin)
        self._proxy.publish(projects)

    def _keep_registry(self) -> None:
        steady.Rounds(_log, "the registry is not kept").go(self._registry.keep)

    def _see_off(self, *, look: bool = False) -> set[str]:
        """Remove the projects that have left the registry."""
        projects = self._registry.current.projects
        if look:
            self._departures.look(self._registry.current)
        gone = self._departures.carry_out(self._crew.busy.keys())
        if gone:
            self._proxy.publish(projects)
        return gone

    def _start_builds(self) -> None:
        for build in self._turns.next(self._crew.busy.keys()):
            if not self._registry.current.is_active(build.project):
                self._store.enter(
                    build.id, builds.Phase.SKIPPED, "its project is not in the registry"
                )
                continue
            if not self._crew.has_room:
                return
            self._engine.ping()
            self._crew.begin(build)

    def _after(self, of: job.Job, ended: builds.Build) -> None:
        self._ended = ended.id
        wanted = self._registry.current.find(ended.project)
        if wanted is not None and (tend.is_remake(ended) or wanted.runs_as != of.project.runs_as):
            self._reconciler.nudge(wanted.origin)  # changed meanwhile, or a held push gave way
        self._tender.after(ended)
        self._wake()

    def _wake(self) -> None:
        wake.send(self._settings.run)

    def _report(self, engine: str | None) -> None:
        lock.beat(self._lock_file)
        wrong = self._reconciler.problems | self._scaler.problems | self._proxy.problems
        wrong |= self._crew.problems
        self._reporter.say(
            condition.Condition(
                registry=self._registry.problem,
                engine=engine,
                web=self._proxy.problem_of_web,
                projects=wrong,
                ended=self._ended,
            )
        )


def _stop(*_: object) -> None:
    os._exit(0)  # at once: stopping is a crash that recovery handles, there is no second way
