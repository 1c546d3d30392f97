"""From a repository's compose file to the parts of a project, in the order they start in."""

import dataclasses
import pathlib
import re
from typing import Any

import pydantic

from build_hook import composed, errors, part, project, shapes
from build_hook.compose import document, entry, fields, files, interpolation, mounts, order, policy

_ELSEWHERE = frozenset({"depends_on", "volumes", "x-build-hook"})
_KNOWN = frozenset(fields.CONVERTERS) | _ELSEWHERE


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """The parts of a project, each after those that it needs, and what the log shall say."""

    parts: tuple[part.Part, ...]
    notes: tuple[str, ...]


def read(folder: pathlib.Path, of: project.Project, instance: str) -> Group:
    """Read the compose file of a checked-out commit.

    Raises:
        ComposeError: if it cannot be understood, or asks for what only the operator may.
    """
    rules = of.compose or composed.Compose()
    name, path = files.find(folder, rules.file)
    if path.stat().st_size > document.LARGEST:
        raise errors.ComposeError(f"{name} is larger than {document.LARGEST // 1024} KiB")
    found = document.read(name, path.read_bytes())
    found = found.texts(lambda text: interpolation.fill(text, of.environment))
    entries = _entries(found, of, rules, (folder, path.parent))
    settled = {one.name: _settings(one, instance) for one in entries}
    needed = {one.name: _needs(one) for one in entries}
    ended = {name for needs in needed.values() for name in needs.ended}
    ordered = order.sort(found, needed)
    by_name = {one.name: one for one in entries}
    parts = [
        _part(by_name[name], settled[name], needed[name], name in ended, ordered)
        for name in ordered
    ]
    _require_own(found, of, rules)
    return Group(tuple(parts), tuple(note for one in entries for note in one.notes))


def _entries(
    found: document.Document,
    of: project.Project,
    rules: composed.Compose,
    folders: tuple[pathlib.Path, pathlib.Path],
) -> list[entry.Entry]:
    services: Any = found.value.get("services")
    if not shapes.is_mapping(services) or not services:
        raise found.error(("services",), "there are no services", "Write some below services:")
    given: dict[str, Any] = services
    entries = [entry.Entry(found, of, rules, *folders, name, []) for name in given]
    policy.require_top(entries[0])
    for one in entries:
        if not shapes.is_mapping(one.given):
            raise one.wrong(what="is not a mapping")
        if not re.fullmatch(composed.SERVICE, one.name):
            raise one.wrong(
                what="its name cannot be a host name", hint="Use a-z, 0-9, dashes and underscores"
            )
    return [one for one in entries if _runs(one)]


def _runs(one: entry.Entry) -> bool:
    profiles: Any = one.given.get("profiles") or ()
    if not shapes.is_list(profiles) and profiles:
        raise one.wrong("profiles", what="profiles must be a list")
    return not profiles or bool(set(profiles) & set(one.rules.profiles))


def _settings(one: entry.Entry, instance: str) -> dict[str, Any]:
    """The file's settings of a service, with the operator's over them."""
    found: dict[str, Any] = {}
    keys = policy.require_known(one, _KNOWN)
    for key in sorted(keys, key=lambda key: key != "env_file"):  # environment wins over files
        try:
            found = _over(found, _converted(one, key, instance))
        except (TypeError, ValueError, AttributeError, KeyError) as error:
            raise one.wrong(key, what=f"{key} is not in a form that Compose has") from error
    if "build" not in found and "reference" not in found:
        raise one.wrong(what="has neither build nor image", hint="Give it one of them")
    if "build" in found:
        found.pop("reference", None)
    return _limited(one, found)


def _converted(one: entry.Entry, key: str, instance: str) -> dict[str, Any]:
    given = one.given[key]
    if key == "volumes":
        return mounts.volumes(one, given or [], instance)
    if key == "x-build-hook":
        return _care(one)
    return fields.CONVERTERS[key](one, given) if key in fields.CONVERTERS else {}


def _limited(one: entry.Entry, found: dict[str, Any]) -> dict[str, Any]:
    """The operator's settings over the file's; the project's limits are for every service."""
    limits = one.project.deploy.model_dump(exclude_defaults=True)
    own = one.rules.services.get(one.name, composed.Own())
    found = own.over(_over(found, {"deploy": limits} if limits else {}))
    if "image" in found:
        found = {**found, "reference": found.pop("image"), "build": {}}
    keeps_data = found.get("volumes") and not found.get("ports")
    if "strategy" not in found and keeps_data and _replicas(found) == 1:
        found["strategy"] = "recreate"
    return found


def _care(one: entry.Entry) -> dict[str, Any]:
    try:
        given = composed.Care.model_validate(one.given["x-build-hook"] or {})
    except pydantic.ValidationError as error:
        raise _explained(one, error, "x-build-hook") from error
    return given.model_dump(exclude_unset=True)


def _needs(one: entry.Entry) -> order.Needs:
    given = one.given.get("depends_on")
    return order.needs(one, given) if given else order.Needs()


def _part(
    one: entry.Entry, given: dict[str, Any], needs: order.Needs, ends: bool, names: tuple[str, ...]
) -> part.Part:
    own = {
        "after": needs.after,
        "restarts_with": needs.restarts_with,
        "ends": ends,
        "peers": tuple(sorted(names)),
    }
    try:
        made = part.make(one.project, one.name, {**given, **own})
    except pydantic.ValidationError as error:
        raise _explained(one, error) from error
    if made.deploy.replicas > 1 and (ends or made.strategy == "recreate"):
        why = "runs to its end" if ends else "is recreated"
        raise one.wrong("deploy", what=f"{why}: deploy.replicas must be 1")
    return made


def _replicas(given: dict[str, Any]) -> Any:
    return given.get("deploy", {}).get("replicas", 1)


def _explained(
    one: entry.Entry, error: pydantic.ValidationError, *path: str
) -> errors.ComposeError:
    fault = error.errors(include_url=False)[0]
    where = (*path, *fault["loc"])
    what = fault["msg"].removeprefix("Value error, ")
    return one.wrong(*where, what=f"{'.'.join(str(step) for step in where)}: {what}")


def _require_own(found: document.Document, of: project.Project, rules: composed.Compose) -> None:
    """The operator's services must be there: a misspelt one would publish nothing."""
    for name in rules.services:
        if name not in found.value["services"]:
            raise errors.ComposeError(
                f"{found.name} has no service {name}, of which compose.services of project "
                f"{of.name} speaks",
                "Correct the registry, or the file",
            )


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Two settings as one; mappings are joined, lists come after each other."""
    joined = dict(below)
    for key, new in above.items():
        old = joined.get(key)
        if shapes.is_mapping(old) and shapes.is_mapping(new):
            first: dict[str, Any] = old
            second: dict[str, Any] = new
            joined[key] = _over(first, second)
        elif shapes.is_list(old) and shapes.is_list(new):
            joined[key] = [*old, *new]
        else:
            joined[key] = new
    return joined
