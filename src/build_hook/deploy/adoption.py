"""Versions that run though the store has lost them are taken over as they are.

Each service of a compose project by itself: one that did not change runs on from an older build.
"""

import collections
import logging
from collections.abc import Iterable, Mapping

from build_hook import labels, project, settings
from build_hook.deploy import containers, networks
from build_hook.store import builds, parts

_log = logging.getLogger(__name__)
Running = Mapping[str, list[containers.Container]]


def adopt(
    with_settings: settings.Settings,
    store: builds.Builds,
    found: Iterable[containers.Container],
    registered: Iterable[project.Project],
) -> list[str]:
    """Record what serves, by the labels of what runs; returns the projects it was done for.

    Of several versions that run, the one that the proxy sends traffic to, else the one that is
    found by the name of its service, else the newest.
    """
    parts.forget_incomplete(store.session)
    file = with_settings.run / "haproxy.cfg"
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    running: dict[str, list[containers.Container]] = collections.defaultdict(list)
    for box in found:
        if any(one.is_running for one in box.every):
            running[box.project].append(box)

    def rank(box: containers.Container) -> tuple[bool, bool, int]:
        return _is_proxied(box, text), _is_named(box, with_settings.instance), box.build

    done = list[str]()
    for of in registered:
        chosen: dict[str, containers.Container] = {}
        for box in sorted(running[of.name], key=rank):
            chosen[box.unit] = box
        if _record(store, of, chosen):
            done.append(of.name)
    return done


def _record(
    store: builds.Builds, of: project.Project, chosen: Mapping[str, containers.Container]
) -> bool:
    """Let these serve, whole and by service, as far as nothing is known of them."""
    lost = {unit: box for unit, box in chosen.items() if unit not in store.serving()}
    for unit, box in lost.items():
        image = None if box.service else box.image  # which alone is no version to go back to
        store.adopt(unit, of.ref, box.build, box.commit, image, box.id)
        _log.warning("%s: adopted build %s, which runs", unit, box.build)
    # a build that has not ended is finished or taken back as a whole, by who knows how far it is
    serving, under_way = store.serving(), {build.id for build in store.running()}
    ended = {serving[unit].build for unit in chosen} - under_way
    if of.name not in serving and ended:
        store.set_serving(of.name, max(ended), None)
    return bool(lost)


def _is_proxied(box: containers.Container, text: str) -> bool:
    return any(f" {address}:" in text for address in box.addresses if address)


def _is_named(box: containers.Container, instance: str) -> bool:
    names = {labels.live_name(instance, box.unit, side) for side in networks.SIDES}
    return any(one.name in names for one in box.every)
