"""Networks of ours: one that all containers are on, and one more for each compose project.

The services of a compose project find each other by name, in both networks by another one: in
the shared network ``api`` stands for the container that is called PROJECT.api-a-INSTANCE, in the
project's for PROJECT.api-b-INSTANCE (Docker's links, which look the name up when asked). Only a
container that has passed its gate is renamed to one of the two. So a name moves from one version
to the next in one step, with no address changed and no connection cut (docs/adr).
"""

import contextlib
import threading
from typing import Any

import docker.errors

from build_hook import labels, part, project
from build_hook.deploy import engine

SIDES = ("a", "b")


class Networks:
    """The networks of one instance."""

    def __init__(self, docker_engine: engine.Engine) -> None:
        self._engine = docker_engine
        self._one_at_a_time = threading.Lock()  # the engine lets two at once be of one name

    def shared(self) -> str:
        """The network that every container is on; the proxy reaches it there."""
        return self._made(labels.network_name(self._engine.instance), {})

    def config(self, of: project.Project, network: str) -> Any:
        """The engine's settings of a container's place in the shared network."""
        if not isinstance(of, part.Part):
            return None
        api = self._engine.api
        links = self._links(of, SIDES[0])
        return api.create_networking_config({network: api.create_endpoint_config(links=links)})

    def join(self, of: project.Project, container: str) -> None:
        """Connect a container to the other networks that it belongs to."""
        for other in of.networks:
            self._engine.api.connect_container_to_network(container, other)
        if isinstance(of, part.Part):
            own = self._of_project(of.project_name)
            links = self._links(of, SIDES[1])
            self._engine.api.connect_container_to_network(container, own, links=links)

    def forget(self, project_name: str) -> None:
        """Remove a project's own network, if nothing is on it."""
        name = labels.network_name(self._engine.instance, project_name)
        with (
            self._engine.speaking("remove the network"),
            contextlib.suppress(docker.errors.APIError),
        ):
            self._engine.api.remove_network(name)

    def _of_project(self, name: str) -> str:
        named = labels.of_unit(self._engine.instance, name)
        return self._made(labels.network_name(self._engine.instance, name), named)

    def _made(self, name: str, named: dict[str, str]) -> str:
        api = self._engine.api
        with self._one_at_a_time:
            if not any(n["Name"] == name for n in api.networks(filters=self._engine.ours())):
                api.create_network(
                    name,
                    driver="bridge",
                    check_duplicate=True,
                    labels={labels.INSTANCE: self._engine.instance, **named},
                )
        return name

    def _links(self, of: part.Part, side: str) -> list[tuple[str, str]]:
        instance, root = self._engine.instance, of.project_name
        return [(labels.live_name(instance, f"{root}.{peer}", side), peer) for peer in of.peers]
