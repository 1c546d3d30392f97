"""The end of the product on this machine: nothing of it is left but what is to be kept."""

import pathlib
import shutil
import time

import config
import machine
import service
from build_hook import labels, settings

DOCKER = "/usr/bin/docker"
PATIENCE = 60.0


def remove(*, keep_data: bool) -> None:
    """Stop everything and leave nothing of ours but the data, if that is to be kept."""
    if service.WORKER in machine.active(service.WORKER):
        _wait_for_worker(PATIENCE)
    present = [unit for unit in reversed(service.FILES) if (service.UNIT_FOLDER / unit).exists()]
    if present:
        machine.systemctl("disable", "--now", *present)
    for unit in present:
        (service.UNIT_FOLDER / unit).unlink()
    if present:
        machine.systemctl("daemon-reload")
    service.COMMAND.unlink(missing_ok=True)
    if not keep_data:
        _remove_objects()
        shutil.rmtree(config.STATE, ignore_errors=True)


def _wait_for_worker(seconds: float) -> None:
    """By now no project is related any more: the worker is taking their containers away."""
    end = time.monotonic() + seconds
    while _ours("ps", "--all") and time.monotonic() < end:
        time.sleep(0.5)


def _remove_objects() -> None:
    if containers := _ours("ps", "--all"):
        machine.run(DOCKER, "rm", "--force", *containers)
    if images := _ours("images"):
        machine.run(DOCKER, "rmi", "--force", *images)
    if networks := _ours("network", "ls"):
        machine.run(DOCKER, "network", "rm", *networks)


def _ours(*listing: str) -> list[str]:
    """What Docker has of this instance, found by its label alone."""
    state = settings.Settings(state=pathlib.Path(config.STATE))
    if not service.has_docker() or not (state.state / "instance").exists():
        return []
    label = f"label={labels.INSTANCE}={state.instance}"
    return sorted(set(machine.run(DOCKER, *listing, "--quiet", "--filter", label).split()))
