"""Containers: created, inspected, stopped; only those with our labels."""

import collections.abc
import contextlib
import dataclasses
import pathlib
from typing import Any

import docker.errors

from build_hook import labels, part, project
from build_hook.deploy import engine, networks, runspec


@dataclasses.dataclass(frozen=True, slots=True)
class Container:
    """A container of ours as it is now; ``health`` is None where the image has no check.

    ``started`` is in Unix seconds; ``pid`` is the host's, 0 where nothing runs.
    """

    id: str
    name: str
    project: str
    build: int
    commit: str
    status: str
    address: str | None
    restarts: int
    exit_code: int
    out_of_memory: bool
    health: str | None
    started: float
    pid: int = 0
    image: str = ""
    service: str = ""

    @property
    def unit(self) -> str:
        """What the proxy and the store know it by: its project, or PROJECT.SERVICE."""
        return f"{self.project}.{self.service}" if self.service else self.project

    @property
    def is_running(self) -> bool:
        """Whether its process runs now."""
        return self.status == "running"


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """A container of ours started; ``is_end``: it was removed."""

    container: str
    project: str
    is_end: bool


class Containers:
    """The containers of one instance."""

    def __init__(self, docker_engine: engine.Engine, secrets: pathlib.Path) -> None:
        self._engine = docker_engine
        self._secrets = secrets
        self._networks = networks.Networks(docker_engine)

    def start(self, of: project.Project, build: int, commit: str, image: str) -> Container:
        """Create and start the container of a build, on the instance's own network.

        It is a candidate: the engine does not restart it until it is promoted.

        Raises:
            ContainerError: if the engine refuses; nothing is left behind.
        """
        with self._engine.speaking(f"start the container of build {build}"):
            api = self._engine.api
            self._remove_left(of.name, build)
            network = self._networks.shared()
            created = api.create_container(
                image,
                name=labels.container_name(self._engine.instance, of.name, build),
                labels={
                    **of.labels,
                    **labels.of_build(self._engine.instance, of.name, build, commit),
                    labels.ROLE: labels.CANDIDATE,
                },
                host_config=api.create_host_config(**runspec.host(of, network)),
                networking_config=self._networks.config(of, network),
                **runspec.container(of, self._secrets),
            )["Id"]
            try:
                self._networks.join(of, created)
                api.start(created)
                return self._read(created)
            except BaseException:
                api.remove_container(created, force=True, v=True)
                raise

    def inspect(self, container: str) -> Container | None:
        """A container as it is now; None if it is gone."""
        with self._engine.speaking("look at a container"):
            try:
                return self._read(container)
            except docker.errors.NotFound:
                return None

    def look(self, container: str) -> Container | None:
        """A container as it is now, with the exit status of its last end.

        Raises:
            EngineDownError: if it died because the engine is stopping.
        """
        found = self.inspect(container)
        if found is None or not found.is_running:
            self._engine.ping()
        elif found.restarts:  # it runs again: the engine has forgotten how it ended
            return dataclasses.replace(found, exit_code=self._last_exit_code(found))
        return found

    def all(self, of: str | None = None) -> list[Container]:
        """All containers of this instance, or of one of its projects."""
        with self._engine.speaking("list containers"):
            found = self._engine.api.containers(all=True, filters=self._engine.ours(of))
        return [c for entry in found if (c := self.inspect(entry["Id"])) is not None]

    def roll_call(self) -> list[Container]:
        """All containers of this instance in one call, without exit status and health."""
        with self._engine.speaking("list containers"):
            found = self._engine.api.containers(all=True, filters=self._engine.ours())
        return [self._listed(entry) for entry in found]

    def of_build(self, of: str, build: int) -> Container | None:
        """The container of a build, whatever its state."""
        return next((c for c in self.all(of) if c.build == build), None)

    def resume(self, container: str) -> Container:
        """Start a container that was stopped.

        Raises:
            ContainerError: if it is gone, or does not start.
        """
        with self._engine.speaking("start a container again"):
            self._engine.api.start(container)
            return self._read(container)

    def promote(self, container: str, of: project.Project) -> None:
        """Let the engine restart a container as its project says: it serves from now on."""
        with self._engine.speaking("set a container's restart policy"):
            self._engine.api.update_container(container, restart_policy=runspec.restart(of))

    def stop(self, container: str, grace: float) -> None:
        """Ask a container to end, kill it after ``grace`` seconds; it is kept."""
        with self._engine.speaking("stop a container"), _gone_is_fine():
            self._engine.api.stop(container, timeout=round(grace))

    def make_volumes(self, of: part.Part) -> None:
        """Make the volumes that are a project's own; those that are there stay as they are."""
        ends = f"_{self._engine.instance}"
        named = labels.of_unit(self._engine.instance, of.project_name)
        for volume in (mount.partition(":")[0] for mount in of.volumes):
            if volume.startswith(f"{of.project_name}_") and volume.endswith(ends):
                with self._engine.speaking("make a volume"):
                    self._engine.api.create_volume(volume, labels=named)

    def rename(self, container: str, name: str) -> None:
        """Give a container another name; the engine answers to it at once."""
        with self._engine.speaking("rename a container"), _gone_is_fine():
            self._engine.api.rename(container, name)

    def remove(self, container: str) -> None:
        """Kill and remove a container, and those of its volumes that have no name."""
        with self._engine.speaking("remove a container"), _gone_is_fine():
            self._engine.api.remove_container(container, force=True, v=True)

    def last_lines(self, container: str, count: int = 20) -> list[str]:
        """What a container said last."""
        said = b""
        with self._engine.speaking("read a container's log"), _gone_is_fine():
            said = self._engine.api.logs(container, tail=count)
        return said.decode(errors="replace").splitlines()

    def events(self, since: float) -> collections.abc.Generator[Event]:
        """Starts and ends of our containers from then on; finishes when the engine does."""
        filters = {**self._engine.ours(), "type": "container", "event": ["start", "destroy"]}
        with self._engine.speaking("follow events"):
            for event in self._engine.api.events(since=int(since), decode=True, filters=filters):
                of = labels.unit_of(event["Actor"]["Attributes"])
                yield Event(event["Actor"]["ID"], of, event["Action"] == "destroy")

    def _last_exit_code(self, of: Container) -> int:
        """What the engine's events say of the last end."""
        with self._engine.speaking("read events"):
            ends = self._engine.api.events(
                since="0",
                until=f"{engine.unix_time(self._engine.api.info()['SystemTime']):.6f}",
                filters={"container": of.id, "event": "die"},
                decode=True,
            )
            codes = [int(end["Actor"]["Attributes"]["exitCode"]) for end in ends]
        return codes[-1] if codes else of.exit_code

    def _remove_left(self, of: str, build: int) -> None:
        """Make room for a name that an earlier try of the same build still holds."""
        for left in self._engine.api.containers(all=True, filters=self._engine.ours(of)):
            if left["Labels"][labels.BUILD] == str(build):
                self._engine.api.remove_container(left["Id"], force=True, v=True)

    def _listed(self, entry: dict[str, Any]) -> Container:
        named, networks = entry["Labels"], entry["NetworkSettings"]["Networks"]
        ours = networks.get(labels.network_name(self._engine.instance), {})
        return Container(
            entry["Id"], entry["Names"][0].removeprefix("/"), named[labels.PROJECT],
            int(named[labels.BUILD]), named.get(labels.COMMIT, ""), entry["State"],
            ours.get("IPAddress") or None, 0, 0, False, None, float(entry["Created"]),
            service=named.get(labels.SERVICE, ""),
        )  # fmt: skip

    def _read(self, container: str) -> Container:
        found: dict[str, Any] = self._engine.api.inspect_container(container)
        state, named = found["State"], found["Config"]["Labels"]
        networks = found["NetworkSettings"]["Networks"]
        ours = networks.get(labels.network_name(self._engine.instance), {})
        return Container(
            id=found["Id"],
            name=found["Name"].removeprefix("/"),
            project=named[labels.PROJECT],
            build=int(named[labels.BUILD]),
            commit=named.get(labels.COMMIT, ""),
            service=named.get(labels.SERVICE, ""),
            status=state["Status"],
            address=ours.get("IPAddress") or None,
            restarts=found["RestartCount"],
            exit_code=state["ExitCode"],
            out_of_memory=state["OOMKilled"],
            health=state["Health"]["Status"] if state.get("Health") else None,
            started=engine.unix_time(state["StartedAt"]),
            pid=state["Pid"],
            image=found["Image"],
        )


def _gone_is_fine() -> contextlib.AbstractContextManager[None]:
    return contextlib.suppress(docker.errors.NotFound)
