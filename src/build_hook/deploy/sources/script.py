"""A repository with scripts of its own, run as they are; what they start becomes a version.

First on their PATH stands a ``docker`` of ours (``build_hook.shim``); all else is as in 2015: the
clone, the arguments, the helper.
"""

import dataclasses
import os
import pathlib
import shutil
import time
from collections.abc import Callable

from build_hook import deployed, errors, labels, project, service, settings
from build_hook.deploy import (
    build_command,
    clients,
    clones,
    confided,
    containers,
    engine,
    guard,
    job,
    marked,
    process,
    programs,
    scripted,
)
from build_hook.deploy.sources import base, repository
from build_hook.shim import runline, spool

_UNSAID = service.Port(target=1, published=1)


class Script(repository.Repository):
    """Runs the build script, and finds what it started."""

    def __init__(
        self,
        with_settings: settings.Settings,
        docker_engine: engine.Engine,
        by_guard: guard.Guard,
    ) -> None:
        super().__init__(with_settings, docker_engine)
        self._guard = by_guard
        self._confided = confided.Confided(with_settings)
        self._containers = containers.Containers(docker_engine, with_settings)
        self._clones = clones.Clones(with_settings.scripts)

    def make(self, of: job.Job) -> base.Made:
        """Run the scripts of the commit that was fetched."""
        self._require_room(of)
        mirror = self._repositories.mirror(of.project)
        folder = self._clones.prepare(of.project, of.build.ref, of.commit, mirror)
        about = spool.Spool(self._settings.run / "scripts" / str(of.build.id))
        discard(about.folder)
        about.open(self._context(of))
        try:
            with self._guard.watching(of.project.build, self._mark(of), of.log) as check:
                self._run(of, folder, about, check)
            started, problem = about.started(), about.problem()
            self._confided.hear(of.project.name, of.build.id, about.files)
        finally:
            discard(about.folder)
        if started is None:
            raise errors.ScriptError(
                f"The scripts started no version: {problem or 'no docker run -d was seen'}",
                "Read the log. A version is what docker run -d starts, with -p or of the image "
                "that was just built",
            )
        return self._made(of, started)

    # Private

    def _context(self, of: job.Job) -> spool.Context:
        instance, name, build = self._engine.instance, of.project.name, of.build.id
        serving = of.store.serving().get(name)
        live = self._containers.of_build(name, serving.build) if serving else None
        before = job.deployed_with(of.store.get(serving.build), of.project) if serving else None
        return spool.Context(
            docker=clients.find().argv[0],
            project=name,
            image_tag=labels.image_tag(instance, name, build),
            labels=labels.of_build(instance, name, build, of.commit),
            container=labels.container_name(instance, name, build),
            network=self._containers.network(),
            no_proxy=build_command.exceptions(self._mark(of)),
            serving=live.id if live else None,
            known_as=before.known_as if isinstance(before, deployed.Deployed) else None,
            alone=not of.project.scripts.overlap,
        )

    def _mark(self, of: job.Job) -> str:
        return labels.step_mark(self._engine.instance, of.project.name)

    def _run(
        self,
        of: job.Job,
        folder: pathlib.Path,
        about: spool.Spool,
        check: Callable[[], None],
    ) -> None:
        script, timeout = of.project.scripts.build, of.project.build.timeout
        program = _program(folder, script)
        deadline = time.monotonic() + timeout
        check_stop = guard.both(check, of.check_stop)
        try:
            process.run(
                (str(program), clones.name(of.project), clones.branch(of.build.ref)),
                timeout=timeout,
                cwd=folder,
                env=self._environment(of.project, about),
                inherit=False,
                on_line=of.log,
                check_stop=check_stop,
            )
        except process.ProcessError as error:
            check()
            if error.code is None:
                raise _late(timeout) from error
            about.tell_problem(f"{script} ended with exit status {error.code}")
            of.log(f"{script} ended with exit status {error.code}")
        try:  # what it put into the background belongs to the build
            marked.wait(
                spool.VARIABLE, str(about.folder), deadline=deadline, check_stop=check_stop
            )
        except TimeoutError as error:
            raise _late(timeout) from error

    def _environment(self, of: project.Project, about: spool.Spool) -> dict[str, str]:
        """As a roll-back has it, with our programs first."""
        around = scripted.environment(of, self._settings.secrets, self._engine.host)
        return {
            **around,
            "PATH": f"{programs.folder(self._settings)}:{around['PATH']}",
            spool.VARIABLE: str(about.folder),
        }

    def _made(self, of: job.Job, started: spool.Started) -> base.Made:
        line = runline.parse(started.argv)
        told = {(port.published, port.protocol): port for port in of.project.ports}
        alone = line.why_alone if of.project.scripts.overlap else "script.overlap is off"
        ran = deployed.of(
            of.project,
            run_line=started.argv,
            run_in=started.folder,
            known_as=started.known_as,
            alone=alone,
            unsaid=[
                port.published
                for port in line.ports
                if port.protocol == "tcp" and (port.published, "tcp") not in told
            ],
            restart=line.restart,
            ports=[
                told.get((port.published, port.protocol), _UNSAID).model_copy(
                    update=dataclasses.asdict(port)
                )
                for port in line.ports
            ],
        )
        with self._engine.speaking("look at a container"):
            image = self._engine.api.inspect_container(started.container)["Image"]
        return base.Made(str(image), ran)


def discard(folder: pathlib.Path) -> None:
    """End what is left of a build's scripts, and its folder: nothing more is started for it."""
    if folder.exists():
        shutil.rmtree(folder, ignore_errors=True)
        marked.end(spool.VARIABLE, str(folder))


def discard_all(with_settings: settings.Settings) -> None:
    """The same for all builds that a crash left."""
    for folder in (with_settings.run / "scripts").glob("*"):
        discard(folder)


def _program(folder: pathlib.Path, script: str) -> pathlib.Path:
    program = folder / script
    if not os.access(program, os.X_OK) or not program.is_file():
        raise errors.ScriptError(
            f"The repository has no program {script!r}",
            f"Commit it (git add --chmod=+x {script}), or correct script.build",
        )
    return program


def _late(timeout: float) -> errors.ScriptError:
    return errors.ScriptError(
        f"The scripts took longer than {timeout:g} s and were stopped",
        "Make them faster, or raise build.timeout",
    )
