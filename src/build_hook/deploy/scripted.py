"""Containers that a project's scripts asked for: started, or made again from a record."""

from build_hook import deployed, errors, labels
from build_hook.deploy import clients, containers, engine, process
from build_hook.shim import runline

_TIMEOUT = 120.0


class Scripted:
    """Starts what scripts made."""

    def __init__(self, docker_engine: engine.Engine, boxes: containers.Containers) -> None:
        self._engine = docker_engine
        self._containers = boxes

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
        line = runline.parse(of.run_line)
        words = line.create(
            image=image,
            container=labels.container_name(self._engine.instance, of.name, build),
            network=self._containers.network(),
            labels=labels.of_build(self._engine.instance, of.name, build, commit),
        )
        try:
            said = self._docker("create", *words)
        except process.ProcessError as error:
            raise errors.ContainerError(
                f"The engine could not make the container again: {error.last_line}",
                "Read its words above; what they name may be gone",
            ) from error
        container = said.strip().splitlines()[-1]
        if not line.is_on_host:
            for network in line.networks:
                self._docker("network", "connect", network, container)
        return container

    def _docker(self, *arguments: str) -> str:
        found = clients.find()
        return process.run(
            (found.argv[0], *arguments),
            timeout=_TIMEOUT,
            env={**found.env, "DOCKER_HOST": self._engine.host},
        )
