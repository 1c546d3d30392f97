"""Where logs are pushed to, by the ``logging`` relations: the ``loki_push_api`` interface.

Theirs, in each unit's databag: ``endpoint``, JSON with a ``url``. Ours, in the application's:
``metadata`` (whose logs they are) and ``alert_rules`` (none), both JSON.
https://charmhub.io/loki-k8s/libraries/loki_push_api
"""

import json

import ops

ENDPOINT = "logging"
_MOST = 2000  # characters of a URL


def urls(charm: ops.CharmBase) -> tuple[str, ...]:
    """Every unit that takes logs, each once."""
    bags = (relation.data[unit] for relation in _active(charm) for unit in relation.units)
    return tuple(sorted({url for bag in bags if (url := _url(bag.get("endpoint", "")))}))


def publish(charm: ops.CharmBase) -> None:
    """Say whose logs will come."""
    if not charm.unit.is_leader():
        return
    topology = {
        "model": charm.model.name,
        "model_uuid": charm.model.uuid,
        "application": charm.app.name,
        "unit": charm.unit.name,
        "charm_name": charm.meta.name,
    }
    said = {"metadata": json.dumps(topology), "alert_rules": "{}"}
    for relation in _active(charm):
        bag = relation.data[charm.app]
        for key, text in said.items():
            if bag.get(key) != text:
                bag[key] = text


def _active(charm: ops.CharmBase) -> list[ops.Relation]:
    return [relation for relation in charm.model.relations[ENDPOINT] if relation.active]


def _url(text: str) -> str | None:
    try:
        found = json.loads(text)["url"]
    except (ValueError, LookupError, TypeError):
        return None
    usable = isinstance(found, str) and found.startswith(("http://", "https://"))
    return found if usable and len(found) < _MOST else None
