"""A repository with scripts of its own, run as they are; what they start becomes a version.

First on their PATH stands a ``docker`` of ours (``build_hook.shim``); all else is as in 2015: the
clone, the arguments, the helper.
"""

import dataclasses
import os
import pathlib
import pwd
import shlex
import shutil
import sys
import time

import build_hook
from build_hook import deployed, errors, labels, project, service, settings
from build_hook.deploy import (
    clients,
    clones,
    containers,
    engine,
    job,
    marked,
    process,
    runspec,
)
from build_hook.deploy.sources import base, repository
from build_hook.shim import runline, spool

_SHIM = "build_hook.shim"
_PRODUCT = pathlib.Path(build_hook.__file__).resolve().parent.parent
_UNSAID = service.Port(target=1, published=1)
_PROGRAMS = {"docker": "docker", "build-hook.py": "helper"}


class Script(repository.Repository):
    """Runs the build script, and finds what it started."""

    def __init__(self, with_settings: settings.Settings, docker_engine: engine.Engine) -> None:
        super().__init__(with_settings, docker_engine)
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
            self._run(of, folder, about)
            started, problem = about.started(), about.problem()
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
            serving=live.id if live else None,
            known_as=before.known_as if isinstance(before, deployed.Deployed) else None,
            alone=not of.project.scripts.overlap,
        )

    def _run(self, of: job.Job, folder: pathlib.Path, about: spool.Spool) -> None:
        script = of.project.scripts.build
        program = folder / script
        if not os.access(program, os.X_OK) or not program.is_file():
            raise errors.ScriptError(
                f"The repository has no program {script!r}",
                f"Commit it (git add --chmod=+x {script}), or correct script.build",
            )
        timeout = of.project.build.timeout
        deadline = time.monotonic() + timeout
        branch = clones.branch(of.build.ref)
        try:
            process.run(
                (str(program), clones.name(of.project), branch),
                timeout=timeout,
                cwd=folder,
                env=self._environment(of.project, about),
                inherit=False,
                on_line=of.log,
                check_stop=of.check_stop,
            )
        except process.ProcessError as error:
            if error.code is None:
                raise _late(timeout) from error
            about.tell_problem(f"{script} ended with exit status {error.code}")
            of.log(f"{script} ended with exit status {error.code}")
        try:  # what it put into the background belongs to the build
            marked.wait(
                spool.VARIABLE, str(about.folder), deadline=deadline, check_stop=of.check_stop
            )
        except TimeoutError as error:
            raise _late(timeout) from error

    def _environment(self, of: project.Project, about: spool.Spool) -> dict[str, str]:
        """What scripts find around them: little, and nothing of the worker's own."""
        user = pwd.getpwuid(os.geteuid())
        return {
            **runspec.environment(of, self._settings.secrets),
            **clients.find().env,
            "PATH": f"{programs(self._settings)}:{os.environ.get('PATH', os.defpath)}",
            "HOME": user.pw_dir,
            "USER": user.pw_name,
            "LOGNAME": user.pw_name,
            "LANG": "C.UTF-8",
            "DOCKER_HOST": self._engine.host,
            spool.VARIABLE: str(about.folder),
        }

    def _made(self, of: job.Job, started: spool.Started) -> base.Made:
        line = runline.parse(started.argv)
        told = {(port.published, port.protocol): port for port in of.project.ports}
        alone = line.why_alone if of.project.scripts.overlap else "script.overlap is off"
        ran = deployed.of(
            of.project,
            run_line=started.argv,
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


def programs(with_settings: settings.Settings) -> pathlib.Path:
    """The folder of the programs that stand in for others, made new if it is not up to date."""
    folder = with_settings.scripts / ".programs"
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    for name, module in _PROGRAMS.items():
        write_program(folder / name, module)
    return folder


def put_helper(file: pathlib.Path) -> None:
    """Put 2015's helper at its old path; one of another origin is kept beside it.

    Raises:
        SettingsError: if that cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.is_file() and _SHIM not in file.read_text(encoding="utf-8", errors="replace"):
            file.replace(file.with_name(f"{file.name}.before"))
        write_program(file, _PROGRAMS["build-hook.py"])
    except OSError as error:
        raise errors.SettingsError(
            f"The helper {file} cannot be written: {error.strerror}",
            "Correct script_helper, or let the user of the worker write there",
        ) from error


def take_helper_away(file: pathlib.Path) -> None:
    """Undo what was put there; what lay at its path before lies there again.

    Raises:
        SettingsError: if that cannot be done.
    """
    before = file.with_name(f"{file.name}.before")
    try:
        if not file.is_file() or _SHIM not in file.read_text(encoding="utf-8", errors="replace"):
            return
        file.unlink()
        if before.exists():
            before.replace(file)
        elif not any(file.parent.iterdir()):
            file.parent.rmdir()
    except OSError as error:
        raise errors.SettingsError(
            f"The helper {file} cannot be removed: {error.strerror}", "Remove it"
        ) from error


def write_program(file: pathlib.Path, module: str) -> None:
    """Write a program that runs a module of the shim."""
    # Scripts have a clean environment: where the product is, a variable of the worker's may say.
    # With -P no folder of the repository comes before it.
    code = (
        f"import runpy, sys; sys.path.insert(0, {str(_PRODUCT)!r}); "
        f"runpy.run_module('{_SHIM}.{module}', run_name='__main__', alter_sys=True)"
    )
    argv = shlex.join([sys.executable, "-P", "-c", code])
    text = f'#!/bin/sh\nexec {argv} "$@"\n'
    if file.is_file() and file.read_text(encoding="utf-8") == text:
        return
    draft = file.with_name(f".{file.name}.new")
    draft.write_text(text, encoding="utf-8")
    draft.chmod(0o755)
    draft.replace(file)


def discard(folder: pathlib.Path) -> None:
    """End what is left of a build's scripts, and its folder: nothing more is started for it."""
    if folder.exists():
        shutil.rmtree(folder, ignore_errors=True)
        marked.end(spool.VARIABLE, str(folder))


def discard_all(with_settings: settings.Settings) -> None:
    """The same for all builds that a crash left."""
    for folder in (with_settings.run / "scripts").glob("*"):
        discard(folder)


def _late(timeout: float) -> errors.ScriptError:
    return errors.ScriptError(
        f"The scripts took longer than {timeout:g} s and were stopped",
        "Make them faster, or raise build.timeout",
    )
