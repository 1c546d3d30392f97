"""The volumes of a service: named ones are the project's own, folders of the host are not."""

import re
from typing import Any

from build_hook import shapes
from build_hook.compose import entry

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_MODES = {"ro": ":ro", "rw": "", "z": "", "Z": "", "": ""}


def volumes(one: entry.Entry, given: Any, instance: str) -> dict[str, Any]:
    """The mounts of a service, in the short form, and what it keeps in memory."""
    if not shapes.is_list(given):
        raise one.wrong("volumes", what="volumes must be a list")
    items: list[Any] = given
    mounts: list[str] = []
    memory: list[str] = []
    for n, item in enumerate(items):
        kind, source, target, mode = _parts(one, n, item)
        if not target.startswith("/") or ":" in target or "\0" in target:
            raise one.wrong("volumes", n, what=f"{target!r} is not an absolute path")
        if kind == "tmpfs":
            memory.append(target)
        else:
            mounts.append(f"{_source(one, n, kind, source, instance)}:{target}{mode}")
    return {"volumes": mounts, "tmpfs": memory}


def volume_name(project: str, volume: str, instance: str) -> str:
    """The engine's name of a project's volume; a project's name has no underscore."""
    return f"{project}_{volume}_{instance}"


def _parts(one: entry.Entry, n: int, item: Any) -> tuple[str, str, str, str]:
    """Kind, source, target and mode of either form."""
    if shapes.is_mapping(item):
        return _long(one, n, item)
    texts = str(item).split(":")
    if len(texts) not in (2, 3) or (texts[2:] and not set(texts[2].split(",")) <= _MODES.keys()):
        raise one.wrong(
            "volumes", n, what=f"{item!r} is not SOURCE:TARGET or SOURCE:TARGET:ro",
            hint="Name a volume; without one the data would be lost at every deploy",
        )  # fmt: skip
    read_only = "ro" in texts[2].split(",") if texts[2:] else False
    kind = "bind" if texts[0][:1] in ("/", ".", "~") else "volume"
    return kind, texts[0], texts[1], ":ro" if read_only else ""


def _long(one: entry.Entry, n: int, item: dict[str, Any]) -> tuple[str, str, str, str]:
    unknown = item.keys() - {"type", "source", "target", "read_only", "consistency"}
    if unknown:
        key = min(unknown)
        raise one.refused(f"volumes.{n}.{key}", f"{key} of a volume is not supported")
    kind = item.get("type", "volume")
    if kind not in ("volume", "bind", "tmpfs"):
        raise one.refused("volumes", f"a volume of type {kind}")
    if kind != "tmpfs" and not item.get("source"):
        raise one.wrong(
            "volumes", n, what="a volume has no source",
            hint="Name one; without a name the data would be lost at every deploy",
        )  # fmt: skip
    mode = ":ro" if item.get("read_only") else ""
    return kind, str(item.get("source", "")), str(item.get("target", "")), mode


def _source(one: entry.Entry, n: int, kind: str, source: str, instance: str) -> str:
    if kind == "bind":
        return _folder(one, n, source)
    declared: dict[str, Any] = one.file.value.get("volumes") or {}
    if not _NAME.fullmatch(source) or source not in declared:
        raise one.wrong(
            "volumes", n, what=f"there is no volume {source!r}",
            hint="Name it below volumes: at the end of the file",
        )  # fmt: skip
    options: dict[str, Any] = declared[source] or {}
    reaching = options.keys() - {"labels"} if shapes.is_mapping(declared[source]) else set[str]()
    if reaching:
        key = min(reaching)
        raise one.file.error(
            ("volumes", source, key),
            f"{key} of volume {source} reaches beyond the project, which is for the operator",
            f"Take it out; the operator may mount it in compose.services.{one.name}.volumes of "
            f"project {one.project.name}",
        )
    return volume_name(one.project.name, source, instance)


def _folder(one: entry.Entry, n: int, source: str) -> str:
    if not source.startswith("/") or ".." in source.split("/"):
        raise one.wrong(
            "volumes", n,
            what=f"{source!r} is a folder of the repository, which is gone after the build",
            hint="COPY it into the image, or put the data into a named volume; "
            "the operator may put volumes into compose.ignore",
        )  # fmt: skip
    if "host_volumes" not in one.rules.allow:
        raise one.refused(
            "volumes", f"the folder {source} of the host", allow="host_volumes", own="volumes"
        )
    return source
