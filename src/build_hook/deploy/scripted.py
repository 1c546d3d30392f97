"""Containers that a project's scripts asked for: started, or made again from a record."""

import os
import pathlib
import pwd
from collections.abc import Mapping

from build_hook import deployed, errors, labels, project
from build_hook.deploy import clients, confided, containers, engine, process, runspec
from build_hook.shim import runline

_TIMEOUT = 120.0


class Scripted:
    """Starts what scripts made."""

    def __init__(
        self,
        docker_engine: engine.Engine,
        boxes: containers.Containers,
        secrets: confided.Confided,
    ) -> None:
        self._engine = docker_engine
        self._containers = boxes
        self._confided = secrets

    def start(
        self, of: deployed.Deployed, build: int, commit: str, image: str
    ) -> containers.Container:
        """Start the container of a build; make it as its scripts did, if it is not there.

        Raises:
            ContainerError: if it does not start.
        """
        made = self._containers.of_build(of.name, build)
        if made is not None:
            return made if made.is_running else self._containers.resume(made.id)
        return self._containers.resume(self._make(of, build, commit, image))

    def _make(self, of: deployed.Deployed, build: int, commit: str, image: str) -> str:
        held = self._confided.of(of, build)
        line = runline.parse(of.run_line).reading(
            {int(file.name): str(file) for file in held.said.glob("*")}
        )
        around = environment(of, held.values, self._engine.host)
        words = line.create(
            image=image,
            container=labels.container_name(self._engine.instance, of.name, build),
            network=self._containers.network(),
            labels=labels.of_build(self._engine.instance, of.name, build, commit),
        )
        try:
            said = self._docker(around, "create", *words, folder=_folder(of))
        except process.ProcessError as error:
            raise errors.ContainerError(
                f"The engine could not make the container again: {error.last_line}",
                "Read its words above; what they name may be gone",
            ) from error
        container = said.strip().splitlines()[-1]
        if not line.is_on_host:
            for network in line.networks:
                self._docker(around, "network", "connect", network, container)
        return container

    def _docker(
        self, around: Mapping[str, str], *arguments: str, folder: pathlib.Path | None = None
    ) -> str:
        program = (clients.find().argv[0], *arguments)
        return process.run(program, timeout=_TIMEOUT, env=around, inherit=False, cwd=folder)


def _folder(of: deployed.Deployed) -> pathlib.Path | None:
    """Where the script was, if that is still there: files may be named from there."""
    folder = pathlib.Path(of.run_in) if of.run_in else None
    return folder if folder and folder.is_dir() else None


def environment(of: project.Project, secrets: pathlib.Path, host: str) -> dict[str, str]:
    """What scripts find around them, and ``docker run -e NAME``: nothing of the worker's own.

    Raises:
        ContainerError: if a file of ``env_file`` is missing, or others may read it.
    """
    user = pwd.getpwuid(os.geteuid())
    return {
        **runspec.environment(of, secrets),
        **clients.find().env,
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": user.pw_dir,
        "USER": user.pw_name,
        "LOGNAME": user.pw_name,
        "LANG": "C.UTF-8",
        "DOCKER_HOST": host,
    }
