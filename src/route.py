"""The way to web through a proxy for all applications, the ``haproxy-route`` interface.

Every field is JSON. Ours: ``service``, ``ports``, ``check`` and ``hostname`` in the application
databag, ``address`` in the unit's; theirs: ``endpoints``, the URLs that lead to us.
https://charmhub.io/haproxy/libraries/haproxy_route
"""

import json
import urllib.parse
from collections.abc import MutableMapping

import ops

import config
from build_hook import addresses

ENDPOINT = "haproxy-route"
_CHECK = {"interval": 10, "rise": 2, "fall": 3, "path": "/healthz"}


def publish(charm: ops.CharmBase, options: config.Config, address: str) -> None:
    """Tell the proxy where web is, if it does not know yet."""
    host = urllib.parse.urlsplit(str(charm.config["public-url"])).hostname
    said = {
        "service": f"{charm.model.name}-{charm.app.name}",
        "ports": [options.product.port],
        "check": _CHECK,
        "hostname": None if host is None or _is_address(host) else host,
    }
    for relation in _active(charm):
        if charm.unit.is_leader():
            _set(relation.data[charm.app], said)
        _set(relation.data[charm.unit], {"address": address.strip("[]")})


def url(charm: ops.CharmBase) -> str | None:
    """How the world reaches web through it; None if it leads to several units at once.

    A delivery has to reach the unit that has the project, which the proxy cannot know.
    """
    texts = [relation.data[relation.app].get("endpoints", "") for relation in _active(charm)]
    found = [endpoint for text in texts for endpoint in _endpoints(text)]
    return found[0] if found and charm.app.planned_units() <= 1 else None


def proxies(charm: ops.CharmBase) -> tuple[str, ...]:
    """The addresses of the proxy's units, whose X-Forwarded-For is true."""
    bags = (relation.data[unit] for relation in _active(charm) for unit in relation.units)
    given = {bag.get(key, "") for bag in bags for key in ("ingress-address", "private-address")}
    return tuple(sorted(filter(_is_address, given)))


def _active(charm: ops.CharmBase) -> list[ops.Relation]:
    return [relation for relation in charm.model.relations[ENDPOINT] if relation.active]


def _endpoints(text: str) -> list[str]:
    try:
        found = json.loads(text or "[]")
    except ValueError:
        return []
    return [str(each) for each in found] if isinstance(found, list) else []


def _set(bag: MutableMapping[str, str], said: dict[str, object]) -> None:
    for key, value in said.items():
        text = "" if value is None else json.dumps(value)
        if bag.get(key, "") != text:
            bag[key] = text


def _is_address(text: str) -> bool:
    try:
        addresses.check(text)
    except ValueError:
        return False
    return True
