"""Checks bundles by the rules that Juju's own verifier applies before it deploys one.

Returns sentences instead of raising: a bundle may have several faults.
"""

import copy
import pathlib
from collections.abc import Iterator
from typing import Any

import yaml

from tools import bundle_words

_TYPES = {"string": str, "int": int, "float": (int, float), "boolean": bool, "secret": str}
_JUJU_INFO = {"interface": "juju-info", "role": "provides"}
Bundle = dict[str, Any]
# charm path of a bundle → folder that holds metadata.yaml and config.yaml
Charms = dict[str, pathlib.Path]


def load(path: pathlib.Path, *overlays: pathlib.Path) -> Bundle:
    """A bundle with overlays laid over it."""
    bundle = yaml.safe_load(path.read_text(encoding="utf-8"))
    for overlay in overlays:
        bundle = merge(bundle, yaml.safe_load(overlay.read_text(encoding="utf-8")))
    return bundle


def merge(bundle: Bundle, overlay: Bundle) -> Bundle:
    """Lay an overlay over a bundle: null removes an application with its relations."""
    merged = copy.deepcopy(bundle)
    applications = merged["applications"]
    for name, change in (overlay.get("applications") or {}).items():
        if change is None:
            applications.pop(name, None)
        else:
            known = applications.setdefault(name, {})
            options = {**known.get("options", {}), **change.get("options", {})}
            known.update({**change, **({"options": options} if options else {})})
    pairs = [*merged.get("relations", []), *(overlay.get("relations") or [])]
    merged["relations"] = [p for p in pairs if all(_app(e) in applications for e in p)]
    return merged


def faults(bundle: Bundle, charms: Charms) -> list[str]:
    """Everything that is wrong with the bundle."""
    checks = (_applications, _machines, _words, _placements, _options, _relations)
    return [fault for check in checks for fault in check(bundle, charms)]


def relate(bundle: Bundle, charms: Charms, one: str, other: str) -> tuple[str, str]:
    """The endpoints that ``juju relate ONE OTHER`` joins.

    Raises:
        ValueError: if there is none, or more than one pair.

    """
    pairs = [
        (f"{_app(one)}:{a}", f"{_app(other)}:{b}")
        for a, mine in _endpoints(bundle, charms, one).items()
        for b, theirs in _endpoints(bundle, charms, other).items()
        if _fit(mine, theirs)
    ]
    explicit = [pair for pair in pairs if "juju-info" not in {_endpoint(e) for e in pair}]
    found = explicit or pairs
    if len(found) != 1:
        what = "ambiguous relation" if found else "no relations found"
        raise ValueError(f"{what}: {one} {other} {found}")
    return found[0]


def _applications(bundle: Bundle, charms: Charms) -> Iterator[str]:
    if not bundle.get("applications"):
        yield "at least one application must be specified"
    for name, app in bundle.get("applications", {}).items():
        if app.get("charm") not in charms:
            yield f"charm path in application {name} does not exist: {app.get('charm')}"
            continue
        if app.get("num_units", 0) < 0:
            yield f"negative number of units specified on application {name}"
        if _metadata(charms[app["charm"]]).get("subordinate"):
            if "num_units" in app:
                yield f"application {name} is subordinate and has a num_units"
            if "to" in app:
                yield f"application {name} is subordinate and has a placement"


def _machines(bundle: Bundle, _: Charms) -> Iterator[str]:
    used = {place for app in bundle["applications"].values() for place in app.get("to", [])}
    for machine in bundle.get("machines", {}):
        if not str(machine).isdigit():
            yield f"invalid machine id {machine} found in machines"
        elif str(machine) not in used:
            yield f"machine {machine} is not referred to by a placement directive"


def _words(bundle: Bundle, _: Charms) -> Iterator[str]:
    """Bases and constraints, of the whole, of applications and of machines."""
    applications, machines = bundle["applications"], bundle.get("machines", {})
    parts = {f"application {name}": part for name, part in applications.items()}
    parts |= {f"machine {name}": part or {} for name, part in machines.items()}
    bases = {"the bundle": bundle.get("default-base")}
    bases |= {name: part.get("base") for name, part in parts.items()}
    for name, base in bases.items():
        if base is not None and (fault := bundle_words.fault_of_base(base)):
            yield f"{fault} ({name})"
    for name, part in parts.items():
        given = part.get("constraints", "")
        if fault := bundle_words.fault_of_constraints(given):
            yield f"{fault} ({name})"


def _placements(bundle: Bundle, _: Charms) -> Iterator[str]:
    applications = bundle["applications"]
    for name, app in applications.items():
        places = app.get("to", [])
        if len(places) > app.get("num_units", 0):
            yield f"too many units placed for application {name}"
        for place in places:
            owner, slash, number = str(place).partition("/")
            if not slash:
                if owner not in map(str, bundle.get("machines", {})):
                    yield f"placement {place} refers to a machine not defined in this bundle"
            elif owner not in applications:
                yield f"placement {place} refers to an application not defined in this bundle"
            elif not number.isdigit():
                yield f"placement {place} has an invalid unit"
            elif int(number) >= applications[owner].get("num_units", 0):
                yield f"placement {place} specifies a unit greater than the units of {owner}"


def _options(bundle: Bundle, charms: Charms) -> Iterator[str]:
    for name, app in bundle["applications"].items():
        if app.get("charm") not in charms:
            continue
        known = _yaml(charms[app["charm"]] / "config.yaml").get("options", {})
        for option, value in app.get("options", {}).items():
            if option not in known:
                yield f"application {name} has no option {option}"
            elif not _is(value, known[option]["type"]):
                yield f"option {option} of {name} must be a {known[option]['type']}"


def _relations(bundle: Bundle, charms: Charms) -> Iterator[str]:
    seen: set[frozenset[str]] = set()
    for pair in bundle.get("relations", []):
        if len(pair) != 2:
            yield f"relation {pair} has {len(pair)} endpoints, not 2"
            continue
        unknown = [end for end in pair if _app(end) not in bundle["applications"]]
        if unknown:
            yield f"relation {pair} refers to application {_app(unknown[0])} not defined"
            continue
        if frozenset(pair) in seen:
            yield f"relation {pair} is defined more than once"
        seen.add(frozenset(pair))
        try:
            relate(bundle, charms, *pair)
        except ValueError as error:
            yield str(error)


def _endpoints(bundle: Bundle, charms: Charms, end: str) -> dict[str, dict[str, Any]]:
    app = bundle["applications"].get(_app(end))
    if app is None or app.get("charm") not in charms:
        return {}
    metadata = _metadata(charms[app["charm"]])
    found: dict[str, dict[str, Any]] = {"juju-info": dict(_JUJU_INFO)}
    for role in ("provides", "requires"):
        for name, body in (metadata.get(role) or {}).items():
            found[name] = {**body, "role": role}
    found = {name: {**body, "sub": metadata.get("subordinate")} for name, body in found.items()}
    wanted = _endpoint(end)
    return {name: body for name, body in found.items() if wanted in ("", name)}


def _fit(mine: dict[str, Any], theirs: dict[str, Any]) -> bool:
    if mine["interface"] != theirs["interface"]:
        return False
    if {mine["role"], theirs["role"]} != {"provides", "requires"}:
        return False
    is_container = "container" in (mine.get("scope"), theirs.get("scope"))
    return not is_container or bool(mine["sub"] or theirs["sub"])


def _is(value: object, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])


def _metadata(folder: pathlib.Path) -> dict[str, Any]:
    return _yaml(folder / "metadata.yaml")


def _yaml(path: pathlib.Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}


def _app(end: str) -> str:
    return end.partition(":")[0]


def _endpoint(end: str) -> str:
    return end.partition(":")[2]
