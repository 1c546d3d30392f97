"""The end of the product on this machine: nothing of it is left but what is to be kept."""

import contextlib
import pathlib
import shutil
import time
from collections.abc import Mapping

import config
import machine
import service
import tls
import units
from build_hook import errors, labels, registry, settings, wake
from build_hook.deploy import programs
from build_hook.proxy import kernel

DOCKER = "/usr/bin/docker"
PATIENCE = 60.0
# Below the state folder: what is no data of anybody's, or what the charm writes again.
_OURS = (
    "registry.json", "registry.good.json", "run", "checkouts", "confided",
    f"certificates/{tls.NAME}.pem",
)  # fmt: skip


def begin() -> None:
    """Have web stop and the worker take all containers away, those included that were to be kept.

    Nobody waits for it: Juju tells a unit to stop some time before it removes it.
    """
    web = (units.SOCKET, units.WEB)
    running = machine.active(units.WORKER, *web)
    if units.WORKER not in running:
        return
    known = settings.Settings(state=pathlib.Path(config.STATE))
    if running.intersection(web):
        machine.systemctl("stop", "--no-block", *web)
    if registry.save(known.registry, registry.Registry()):
        wake.send(known.run)


def remove(options: Mapping[str, object]) -> None:
    """Stop everything and leave nothing of ours but the data, if that is to be kept.

    ``options`` are as the operator set them, be they wrong. Named volumes are the
    projects' own data: they stay in any case.
    """
    state, user = pathlib.Path(config.STATE), str(options["user"])
    helper = pathlib.Path(str(options["script-helper"]) or config.helper_of_2015(user))
    if units.WORKER in machine.active(units.WORKER):
        begin()  # anew, if something came after Juju had told the unit to stop
        _see_off(state, PATIENCE)
    _remove_units()
    service.COMMAND.unlink(missing_ok=True)
    if helper.exists():
        _remove_helper(helper)
    if (state / "instance").exists():
        known = settings.Settings(state=state)
        kernel.Kernel(known).withdraw()
        _remove_objects(known)
    if options["keep-data"]:
        _remove_all_but_data(state)
        return
    shutil.rmtree(state, ignore_errors=True)
    for account in (user, config.WEB_USER):
        machine.remove_user(account)


def _see_off(state: pathlib.Path, seconds: float) -> None:
    """Wait until the worker has taken all containers away."""
    known = settings.Settings(state=state)
    end = time.monotonic() + seconds
    while _ours(known, "ps", "--all") and time.monotonic() < end:
        time.sleep(0.1)


def _remove_units() -> None:
    present = [unit for unit in reversed(units.FILES) if (units.UNIT_FOLDER / unit).exists()]
    if not present:
        return
    machine.systemctl("disable", "--now", "--no-reload", *present)
    for unit in present:
        (units.UNIT_FOLDER / unit).unlink()
    machine.systemctl("daemon-reload")


def _remove_helper(file: pathlib.Path) -> None:
    with contextlib.suppress(errors.SettingsError):
        programs.take_helper_away(file)


def _remove_objects(of: settings.Settings) -> None:
    """What the worker could not remove, because it was down or had no time."""
    if containers := _ours(of, "ps", "--all"):
        machine.run(DOCKER, "rm", "--force", *containers)
    if images := _ours(of, "images"):
        machine.run(DOCKER, "rmi", "--force", *images)
    if networks := _ours(of, "network", "ls"):
        machine.run(DOCKER, "network", "rm", *networks)


def _remove_all_but_data(state: pathlib.Path) -> None:
    """Leave history, logs, clones, and what the operator put there."""
    found = [state / name for name in _OURS]
    for path in [*found, *(state / "secrets").glob(f"{service.SECRET_PREFIX}*")]:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _ours(of: settings.Settings, *listing: str) -> list[str]:
    """What Docker has of this instance, found by its label alone."""
    if not service.has_docker() or not (of.state / "instance").exists():
        return []
    label = f"label={labels.INSTANCE}={of.instance}"
    return sorted(set(machine.run(DOCKER, *listing, "--quiet", "--filter", label).split()))
