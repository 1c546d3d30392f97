"""Containers: created, inspected, stopped; only those with our labels."""

import collections
import collections.abc
import concurrent.futures
import contextlib
import dataclasses

import docker.errors

from build_hook import labels, part, project, settings
from build_hook.deploy import confided, container_logs, engine, inspection, networks, runspec
from build_hook.deploy.inspection import Container, Event

__all__ = ["Container", "Containers", "Event"]


class Containers:
    """The containers of one instance."""

    def __init__(self, docker_engine: engine.Engine, with_settings: settings.Settings) -> None:
        self._engine = docker_engine
        self._confided = confided.Confided(with_settings)
        self._logs = container_logs.config(with_settings)
        self._networks = networks.Networks(docker_engine)

    def start(self, of: project.Project, build: int, commit: str, image: str) -> Container:
        """Create and start the containers of a build, on the instance's own network.

        They are candidates: the engine does not restart them until they are promoted.

        Raises:
            ContainerError: if the engine refuses; nothing is left behind.
        """
        with self._engine.speaking(f"start the container of build {build}"):
            self._remove_left(of.name, build)
            try:
                first, *others = [
                    self._start_one(of, build, commit, image, replica)
                    for replica in range(1, of.deploy.replicas + 1)
                ]
            except BaseException:
                self._remove_left(of.name, build)
                raise
            return dataclasses.replace(first, others=tuple(others))

    def add_replica(self, of: project.Project, beside: Container) -> Container:
        """Start one more replica of a version, which has to prove itself; it alone, as it is.

        Raises:
            ContainerError: if the engine refuses; nothing is left behind.
        """
        taken = {one.replica for one in beside.every}
        number = next(n for n in range(1, len(taken) + 2) if n not in taken)
        with self._engine.speaking(f"start replica {number} of build {beside.build}"):
            return self._start_one(of, beside.build, beside.commit, beside.image, number)

    def remove_replica(self, of: Container, grace: float) -> None:
        """Stop and remove one replica; the others stay."""
        with self._engine.speaking("remove a replica"), _gone_is_fine():
            self._engine.api.stop(of.id, timeout=round(grace))
            self._engine.api.remove_container(of.id, force=True, v=True)

    def counts(self) -> collections.Counter[tuple[str, int]]:
        """How many containers run for each project or service and build, in one question."""
        with self._engine.speaking("list containers"):
            found = self._engine.api.containers(filters=self._engine.ours())
        named = (entry["Labels"] for entry in found)
        return collections.Counter((labels.unit_of(n), int(n[labels.BUILD])) for n in named)

    def inspect(self, container: str) -> Container | None:
        """A container as it is now; None if it is gone."""
        with self._engine.speaking("look at a container"):
            try:
                return self._version(container)
            except docker.errors.NotFound:
                return None

    def look(self, container: str) -> Container | None:
        """A container as it is now, with the exit status of its last end.

        Raises:
            EngineDownError: if it died because the engine is stopping.
        """
        found = self.inspect(container)
        if found is None or not all(one.is_running for one in found.every):
            self._engine.ping()
        if found is None:
            return None
        with self._engine.speaking("read events"):
            api, others = self._engine.api, found.others
            others = tuple(inspection.with_end(one, api) for one in others)
            return dataclasses.replace(inspection.with_end(found, api), others=others)

    def all(self, of: str | None = None) -> list[Container]:
        """All containers of this instance, or of one of its projects; replicas as one."""
        with self._engine.speaking("list containers"):
            found = self._engine.api.containers(all=True, filters=self._engine.our_containers(of))
            there: list[Container] = []
            for entry in found:
                with _gone_is_fine():
                    there.append(self._read(entry["Id"]))
        return inspection.versions(there)

    def roll_call(self) -> list[Container]:
        """All containers of this instance in one call, without exit status."""
        with self._engine.speaking("list containers"):
            found = self._engine.api.containers(all=True, filters=self._engine.our_containers())
        network = labels.network_name(self._engine.instance)
        return inspection.versions(inspection.listed(entry, network) for entry in found)

    def network(self) -> str:
        """The network that our containers run on, made when it is first needed."""
        return self._networks.shared()

    def of_build(self, of: str, build: int) -> Container | None:
        """The container of a build, whatever its state."""
        return next((c for c in self.all(of) if c.build == build), None)

    def resume(self, container: str) -> Container:
        """Start a container that was stopped.

        Raises:
            ContainerError: if it is gone, or does not start.
        """
        with self._engine.speaking("start a container again"):
            for one in self._version(container).every:
                self._engine.api.start(one.id)
            return self._version(container)

    def promote(self, container: str, of: project.Project) -> None:
        """Let the engine restart a container as its project says: it serves from now on."""
        with self._engine.speaking("set a container's restart policy"):
            for one in self._version(container).every:
                self._engine.api.update_container(one.id, restart_policy=runspec.restart(of))

    def stop(self, container: str, grace: float) -> None:
        """Ask a container to end, kill it after ``grace`` seconds; it is kept."""

        def stop(one: str) -> None:
            with self._engine.speaking("stop a container"), _gone_is_fine():
                self._engine.api.stop(one, timeout=round(grace))

        with self._engine.speaking("stop a container"), _gone_is_fine():
            every = [one.id for one in self._version(container).every]
            with concurrent.futures.ThreadPoolExecutor(len(every), "stop") as pool:
                tuple(pool.map(stop, every))

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
            for one in self._version(container).every:
                self._engine.api.remove_container(one.id, force=True, v=True)

    def last_lines(self, container: str, count: int = 20) -> list[str]:
        """What a container said last; the replica that failed, if one did."""
        said = b""
        found = self.inspect(container)
        failed = (
            [one.id for one in found.every if not one.is_running or one.restarts] if found else []
        )
        container = (failed or [container])[0]
        with self._engine.speaking("read a container's log"), _gone_is_fine():
            said = self._engine.api.logs(container, tail=count)
        return said.decode(errors="replace").splitlines()

    def events(self, since: float) -> collections.abc.Generator[Event]:
        """Starts and ends of our containers from then on; finishes when the engine does."""
        happened = ["start", "die", "destroy", "health_status"]
        filters = {**self._engine.ours(), "type": "container", "event": happened}
        with self._engine.speaking("follow events"):
            for event in self._engine.api.events(since=int(since), decode=True, filters=filters):
                of = labels.unit_of(event["Actor"]["Attributes"])
                yield Event(event["Actor"]["ID"], of, event["Action"] == "destroy")

    def _start_one(
        self, of: project.Project, build: int, commit: str, image: str, replica: int
    ) -> Container:
        api, instance = self._engine.api, self._engine.instance
        network = self._networks.shared()
        held = self._confided.of(of, build)
        created = api.create_container(
            image,
            name=labels.container_name(instance, of.name, build, replica),
            labels={
                **of.labels,
                **labels.of_build(instance, of.name, build, commit),
                labels.ROLE: labels.CANDIDATE,
                labels.REPLICA: str(replica),
            },
            host_config=api.create_host_config(
                **runspec.host(of, network, self._logs, held.files(of))
            ),
            networking_config=self._networks.config(of, network),
            **runspec.container(of, runspec.environment(of, held.values)),
        )["Id"]
        try:
            self._networks.join(of, created)
            api.start(created)
            return self._read(created)
        except BaseException:
            api.remove_container(created, force=True, v=True)
            raise

    def _version(self, container: str) -> Container:
        """A container with the further replicas of its version."""
        found = self._read(container)
        same = self._engine.our_containers(found.unit)
        same["label"].append(f"{labels.BUILD}={found.build}")
        others: list[Container] = []
        for entry in self._engine.api.containers(all=True, filters=same):
            with _gone_is_fine():
                others += [self._read(entry["Id"])] if entry["Id"] != found.id else []
        others.sort(key=lambda one: one.replica)
        return dataclasses.replace(found, others=tuple(others))

    def _remove_left(self, of: str, build: int) -> None:
        """Make room for a name that an earlier try of the same build still holds."""
        for left in self._engine.api.containers(all=True, filters=self._engine.ours(of)):
            if left["Labels"][labels.BUILD] == str(build):
                self._engine.api.remove_container(left["Id"], force=True, v=True)

    def _read(self, container: str) -> Container:
        found = self._engine.api.inspect_container(container)
        return inspection.read(found, labels.network_name(self._engine.instance))


def _gone_is_fine() -> contextlib.AbstractContextManager[None]:
    return contextlib.suppress(docker.errors.NotFound)
