"""Clearing up: what an instance of the demo made in the Docker engine, found by its labels."""

from typing import Any

import docker.errors

from build_hook import labels
from build_hook.demo import baseimage
from build_hook.deploy import engine


def remove(of: engine.Engine) -> None:
    """Remove containers, networks, volumes and images of this instance, and of no other."""
    mine = [{"label": f"{label}={of.instance}"} for label in (labels.INSTANCE, baseimage.LABEL)]
    with of.speaking("clear up"):
        for wanted in mine:
            for container in of.api.containers(all=True, filters=wanted):
                of.api.remove_container(container["Id"], force=True, v=True)
        for network in of.api.networks(filters=mine[0]):
            of.api.remove_network(network["Id"])
        for volume in of.api.volumes(filters=mine[0])["Volumes"] or ():
            of.api.remove_volume(volume["Name"])
        for wanted in mine:
            _remove_images(of.api, wanted)


def _remove_images(api: Any, wanted: dict[str, str]) -> None:
    """Remove images; one that others are built on goes after them."""
    while found := api.images(filters=wanted):
        refused: docker.errors.APIError | None = None
        for image in found:
            try:
                api.remove_image(image["Id"], force=True)
            except docker.errors.NotFound:
                continue  # it went with one that was built on it
            except docker.errors.APIError as error:
                refused = error
        if refused and len(api.images(filters=wanted)) == len(found):
            raise refused
