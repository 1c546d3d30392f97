"""Versions that run though the store has lost them are taken over as they are."""

import collections
import logging
import pathlib
from collections.abc import Iterable

from build_hook import project
from build_hook.deploy import containers
from build_hook.store import builds

_log = logging.getLogger(__name__)


def adopt(
    store: builds.Builds,
    found: Iterable[containers.Container],
    registered: Iterable[project.Project],
    run: pathlib.Path,
) -> list[str]:
    """Record what serves, by the labels of what runs; returns the projects it was done for.

    Of several versions that run, the one that the proxy sends traffic to, else the newest.
    """
    file = run / "haproxy.cfg"
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    running: dict[str, list[containers.Container]] = collections.defaultdict(list)
    for box in found:
        if box.is_running:
            running[box.project].append(box)
    serving, done = store.serving(), list[str]()
    for of in registered:
        if of.name in serving or not running[of.name]:
            continue
        chosen = max(running[of.name], key=lambda box: (_is_proxied(box, text), box.build))
        store.adopt(of.name, of.ref, chosen.build, chosen.commit, chosen.image, chosen.id)
        _log.warning("%s: adopted build %s, which runs", of.name, chosen.build)
        done.append(of.name)
    return done


def _is_proxied(box: containers.Container, text: str) -> bool:
    return box.address is not None and f" {box.address}:" in text
