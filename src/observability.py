"""What an observability agent on this machine is told: where the metrics are, and what they mean.

The ``cos_agent`` interface: one JSON value in the unit databag,
https://github.com/canonical/charmlibs/tree/main/interfaces/cos_agent.
"""

import base64
import json
import lzma
import pathlib

import ops
import yaml

import config

ENDPOINT = "cos-agent"
_HERE = pathlib.Path(__file__).parent
_RULES = _HERE / "alert_rules" / "build-hook.yaml"
_DASHBOARDS = _HERE / "dashboards"
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - recognised, not bound


def publish(charm: ops.CharmBase, options: config.Config) -> None:
    """Tell every related agent, if it does not know yet."""
    for relation in charm.model.relations[ENDPOINT]:
        bag, said = relation.data[charm.unit], _told(charm, options)
        if bag.get("config") != said:
            bag["config"] = said


def _told(charm: ops.CharmBase, options: config.Config) -> str:
    labels = topology(charm)
    told = {
        "metrics_alert_rules": _rules(labels),
        "log_alert_rules": {},
        "dashboards": [_packed(path) for path in sorted(_DASHBOARDS.glob("*.json"))],
        "metrics_scrape_jobs": [_job(charm, options)],
        "log_slots": [],
    }
    return json.dumps(told, sort_keys=True)


def _job(charm: ops.CharmBase, options: config.Config) -> dict[str, object]:
    listen = options.product.listen
    host = "localhost" if listen in _EVERYWHERE else f"[{listen}]" if ":" in listen else listen
    target = f"{host}:{options.product.port}"
    return {
        "job_name": f"{charm.app.name}-metrics",
        "metrics_path": "/metrics",
        "static_configs": [{"targets": [target], "labels": topology(charm)}],
    }


def _rules(labels: dict[str, str]) -> dict[str, object]:
    selector = ",".join(f'{key}="{value}"' for key, value in labels.items())
    text = _RULES.read_text(encoding="utf-8").replace("%%juju_topology%%", selector)
    rules = yaml.safe_load(text)
    for group in rules["groups"]:
        group["name"] = f"{labels['juju_model']}_{labels['juju_application']}_{group['name']}"
        for rule in group["rules"]:
            rule["labels"] |= labels
    return rules


def _packed(path: pathlib.Path) -> str:
    return base64.b64encode(lzma.compress(path.read_bytes())).decode("ascii")


def topology(charm: ops.CharmBase) -> dict[str, str]:
    """What tells one unit's rules, metrics and logs from others', in the words of Juju."""
    return {
        "juju_model": charm.model.name,
        "juju_model_uuid": charm.model.uuid,
        "juju_application": charm.app.name,
        "juju_charm": charm.meta.name,
        "juju_unit": charm.unit.name,
    }
