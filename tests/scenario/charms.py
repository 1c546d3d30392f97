"""Where the charms are, and how to load three modules that are all called ``charm``."""

import functools
import importlib
import importlib.util
import pathlib
import sys
from types import ModuleType
from typing import Any

import ops
import yaml
from scenario import state as scenario_state

ROOT = pathlib.Path(__file__).parents[2]
FOLDERS = {
    "docker-build-hook": ROOT,
    "dockerfile": ROOT / "charms" / "dockerfile",
    "docker": ROOT / "charms" / "docker",
}


def part(charm: str, name: str) -> ModuleType:
    """Another module of a charm."""
    load(charm)
    return importlib.import_module(name)


def metadata(charm: str) -> dict[str, Any]:
    """What a charm declares."""
    return yaml.safe_load((FOLDERS[charm] / "metadata.yaml").read_text(encoding="utf-8"))


def custom_events(charm: str) -> list[str]:
    """Events of the charm's own making, by name."""
    return [name for kind in _events(charm) for name in vars(kind) if not name.startswith("_")]


def custom_event(name: str) -> Any:
    """One of them, to fire: the public way knows only events of objects below the charm."""
    return scenario_state._Event(name)


def _events(charm: str) -> list[type[ops.CharmEvents]]:
    kinds = [value for value in vars(load(charm)).values() if isinstance(value, type)]
    return [kind for kind in kinds if issubclass(kind, ops.CharmEvents)]


@functools.cache
def load(name: str) -> ModuleType:
    """The charm module of a charm, under a name of its own."""
    source = FOLDERS[name] / "src"
    if str(source) not in sys.path:
        sys.path.append(str(source))
    module_name = f"charm_of_{name.replace('-', '_')}"
    spec = importlib.util.spec_from_file_location(module_name, source / "charm.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    return module
