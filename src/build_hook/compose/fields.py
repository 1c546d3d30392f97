"""What each key of a service becomes in our own settings, which have Compose's names."""

import posixpath
from collections.abc import Callable
from typing import Any

from build_hook import recipe, reference, secret_mount, shapes
from build_hook.compose import entry, files

Converter = Callable[[entry.Entry, Any], dict[str, Any]]


def _same(key: str) -> Converter:
    return lambda one, given: {} if given is None else {key: given}


def _word(key: str) -> Converter:
    return lambda one, given: {} if given is None else {key: _text(one, key, given)}


def _words(key: str) -> Converter:
    def convert(one: entry.Entry, given: Any) -> dict[str, Any]:
        if given is None:
            return {}
        return {key: given if isinstance(given, str) else _texts(one, key, given)}

    return convert


def _list(key: str) -> Converter:
    def convert(one: entry.Entry, given: Any) -> dict[str, Any]:
        given = [given] if isinstance(given, str) else given
        texts = _texts(one, key, given)
        if key == "tmpfs" and any(":" in text for text in texts):
            raise one.wrong(key, what="options of tmpfs are not supported", hint="Name the path")
        return {key: texts}

    return convert


def _allowed(key: str) -> Converter:
    def convert(one: entry.Entry, given: Any) -> dict[str, Any]:
        if given in (False, None, []):
            return {}
        if key not in one.rules.allow:
            raise one.refused(key, key, allow=key, own=key)
        return {key: given}

    return convert


def _pairs(key: str) -> Converter:
    return lambda one, given: {key: pairs(one, key, given)}


def pairs(one: entry.Entry, key: str, given: Any) -> dict[str, str]:
    """A mapping, or a list of ``KEY=VALUE``; a name alone is what the operator gave."""
    rows: list[tuple[str, Any]]
    if shapes.is_mapping(given):
        mapping: dict[str, Any] = given
        rows = list(mapping.items())
    else:
        rows = [_row(text) for text in _texts(one, key, given)]
    found: dict[str, str] = {}
    for name, value in rows:
        if value is not None:
            found[name] = _text(one, key, value)
        elif name in one.project.environment:
            found[name] = one.project.environment[name]
    return found


def _row(text: str) -> tuple[str, str | None]:
    ends = [at for mark in ("=", ": ") if (at := text.find(mark)) >= 0]
    name, equals, value = text.partition("=")
    if not ends and ":" in text:  # extra_hosts: HOST:ADDRESS
        name, equals, value = text.partition(":")
    return name.strip(), value if equals else None


def _environment(one: entry.Entry, given: Any) -> dict[str, Any]:
    return {"environment": pairs(one, "environment", given)}


def _build(one: entry.Entry, given: Any) -> dict[str, Any]:
    how: dict[str, Any] = {"context": given} if isinstance(given, str) else dict(given or {})
    for key in how.keys() - {"context", "dockerfile", "args", "target"}:
        if key in ("labels", "tags"):
            one.note(f"build.{key} has no meaning here")
        elif not one.ignores(f"build.{key}"):
            raise one.refused(f"build.{key}", f"{key} of a build")
    kept = {k: how[k] for k in ("context", "dockerfile", "target") if how.get(k) is not None}
    kept["context"] = _from_root(one, str(kept.get("context", ".")))
    args = pairs(one, "build", how["args"]) if how.get("args") else {}
    for name in filter(recipe.steers_builder, args):
        what = f"build: {name} steers the builder, which is the operator's"
        raise one.wrong("build", what=what, hint="Take it out; build.args of the project may say")
    own = one.project.build.model_dump(exclude_defaults=True)
    return {"build": {**own, **kept, "args": {**own.get("args", {}), **args}}}


def _from_root(one: entry.Entry, context: str) -> str:
    """A folder that the file names from where it is, from where the repository begins."""
    if context.startswith("/"):
        return context
    within = one.folder.resolve().relative_to(one.root.resolve())
    return posixpath.normpath(posixpath.join(within.as_posix(), context))


def _image(one: entry.Entry, given: Any) -> dict[str, Any]:
    name = _text(one, "image", given)
    if name.startswith("-") or "sha256:" in name.partition("@")[0]:
        raise one.refused("image", f"the image {name}")
    try:
        asked = reference.parse(name)
    except ValueError as error:
        if "build" in one.given:
            return {}  # what is built gets a tag of ours
        raise one.wrong("image", what=f"the image {name} {error}") from error
    if asked.host == reference.HUB and asked.path.startswith("build-hook-"):
        raise one.refused("image", f"the image {name}")
    return {"reference": name}


def _healthcheck(one: entry.Entry, given: Any) -> dict[str, Any]:
    if not shapes.is_mapping(given):
        raise one.wrong("healthcheck", what="healthcheck must be a mapping")
    check: dict[str, Any] = dict(given)
    if check.pop("disable", False):
        return {"healthcheck": {"test": ["NONE"]}}
    if isinstance(check.get("test"), str):
        check["test"] = ["CMD-SHELL", check["test"]]
    if "test" not in check:
        raise one.wrong(
            "healthcheck", what="healthcheck has no test", hint="Repeat the image's own test"
        )
    return {"healthcheck": check}


def _deploy(one: entry.Entry, given: Any) -> dict[str, Any]:
    how: dict[str, Any] = given if shapes.is_mapping(given) else {}
    unused = how.keys() - {"resources", "replicas"}
    if unused:
        one.note(f"deploy.{', deploy.'.join(sorted(unused))} has no meaning here")
    resources: dict[str, Any] = how.get("resources") or {}
    replicas = {"replicas": how["replicas"]} if how.get("replicas") is not None else {}
    return {"deploy": {"resources": {"limits": resources.get("limits") or {}}, **replicas}}


def _limit(key: str) -> Converter:
    return lambda one, given: {"deploy": {"resources": {"limits": {key: given}}}}


def _networks(one: entry.Entry, given: Any) -> dict[str, Any]:
    declared: dict[str, Any] = one.file.value.get("networks") or {}
    names: Any = given or ()
    for name in names:
        known: Any = declared.get(name) or {}
        if "external" in known or "name" in known:
            raise one.refused("networks", f"the network {name} of the engine", own="networks")
        if shapes.is_mapping(names) and names[name]:
            raise one.refused("networks", f"settings of its place in the network {name}")
    if set(names) - {"default"}:
        one.note("networks are one here: all services of the project share it")
    return {}


def _ports(one: entry.Entry, given: Any) -> dict[str, Any]:
    """What the file publishes must be what the operator publishes; the operator's counts."""
    own = one.rules.services.get(one.name)
    targets = {port.target for port in own.ports} if own else set[int]()
    for item in given or ():
        target = item.get("target") if shapes.is_mapping(item) else _target(str(item))
        if not str(target).isdigit():
            raise one.wrong("ports", what=f"{item!r} is no single port", hint="Name one target")
        if int(str(target)) not in targets:
            raise one.refused("ports", f"publishing port {target}", own="ports")
    return {}


def _secrets(one: entry.Entry, given: Any) -> dict[str, Any]:
    """The files that it wants must be among those that the operator gives; these count."""
    own = one.rules.services.get(one.name)
    paths = {each.path for each in own.secrets} if own else set[str]()
    for item in given or ():
        asked: dict[str, Any] = item if shapes.is_mapping(item) else {"source": item}
        name = str(asked.get("target") or asked.get("source"))
        if posixpath.join(secret_mount.FOLDER, name) not in paths:
            raise one.refused("secrets", f"the secret {name}", own="secrets")
    return {}


def _target(text: str) -> str:
    return text.rpartition(":")[2].partition("/")[0]


def _texts(one: entry.Entry, key: str, given: Any) -> list[str]:
    if not shapes.is_list(given):
        raise one.wrong(key, what=f"{key} must be a list")
    items: list[Any] = given
    return [_text(one, key, item) for item in items]


def _text(one: entry.Entry, key: str, given: Any) -> str:
    if isinstance(given, bool):
        return str(given).lower()
    if isinstance(given, str | int | float):
        return str(given)
    raise one.wrong(key, what=f"{key} has something in it that is not a text")


CONVERTERS: dict[str, Converter] = {
    **{key: _same(key) for key in ("init", "read_only", "stop_grace_period")},
    **{
        key: _word(key)
        for key in ("hostname", "user", "working_dir", "restart", "stop_signal", "shm_size")
    },
    **{key: _words(key) for key in ("entrypoint", "command")},
    **{key: _list(key) for key in ("tmpfs", "cap_drop")},
    **{key: _allowed(key) for key in ("privileged", "cap_add")},
    **{key: _pairs(key) for key in ("labels", "extra_hosts")},
    "environment": _environment,
    "env_file": lambda one, given: {"environment": files.variables(one, given)},
    "build": _build,
    "image": _image,
    "healthcheck": _healthcheck,
    "deploy": _deploy,
    "scale": lambda one, given: {"deploy": {"replicas": given}},
    "mem_limit": _limit("memory"),
    "cpus": _limit("cpus"),
    "pids_limit": _limit("pids"),
    "networks": _networks,
    "ports": _ports,
    "secrets": _secrets,
}  # fmt: skip
