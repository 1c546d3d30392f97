"""Who needs the certificate of the relation, and what names it has to have."""

from collections.abc import Iterable

import tls
from build_hook import project, registry, service, settings
from build_hook.proxy import entrance


def names(
    wanted: settings.Settings, projects: Iterable[project.Project], address: str
) -> tuple[str, ...]:
    """Every host name that it is for; the unit's address for who has no name."""
    ports = [port for of in projects for port in of.stream_ports]
    web = entrance.port(wanted)
    users = [port for port in (*ports, web) if port is not None and _uses(port)]
    found = {name for port in users for name in port.hosts or (address.strip("[]"),)}
    return tuple(sorted(filter(None, found)))


def withhold(
    candidates: dict[str, project.Project | None],
    present: registry.Registry,
    problems: dict[str, str],
    lack: str,
) -> None:
    """Leave those as they are whose certificate is not there yet."""
    for app, entry in candidates.items():
        if entry is not None and any(map(_uses, entry.stream_ports)):
            candidates[app] = present.find(entry.name)
            problems.setdefault(app, lack)


def _uses(port: service.Port) -> bool:
    return tls.NAME in port.certificates
