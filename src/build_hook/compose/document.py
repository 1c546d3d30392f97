"""A compose file as values: YAML with bounds, every value with the line that it came from.

The file is a stranger's: size, depth and what its aliases expand to are bounded, tags construct
nothing, and a key that stands twice is an error. Plain scalars are read as YAML 1.2 has them, so
that ``22:22`` and ``no`` stay texts, as in Compose.
"""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import yaml

from build_hook import errors, shapes

LARGEST = 256 * 1024
_DEEPEST = 32
_MOST_NODES = 20_000
_INTEGER = re.compile(r"[-+]?(0|[1-9]\d*)")
_FRACTION = re.compile(r"[-+]?(\d+\.\d*|\.\d+)([eE][-+]?\d+)?")
_WORDS: dict[str, object] = {"": None, "~": None, "null": None, "true": True, "false": False}
_TAGS = {
    f"tag:yaml.org,2002:{kind}"
    for kind in [
        "str",
        "int",
        "float",
        "bool",
        "null",
        "timestamp",
        "value",
        "merge",
        "seq",
        "map",
    ]
}

# PyYAML's functions have no types of their own.
_yaml: Any = yaml

Path: TypeAlias = tuple[str | int, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Document:
    """What a file says; ``lines`` has the line of each value by its path."""

    name: str
    value: dict[str, Any]
    lines: Mapping[Path, int]

    def error(self, path: Path, what: str, hint: str = "") -> errors.ComposeError:
        """What is wrong at a path, as an error that names the line and the service."""
        known = next((path[:n] for n in range(len(path), -1, -1) if path[:n] in self.lines), ())
        service = f"service {path[1]}: " if path[:1] == ("services",) and len(path) > 1 else ""
        line = self.lines.get(known, 1)
        return errors.ComposeError(f"{self.name} line {line}: {service}{what}", hint)

    def texts(self, change: Callable[[str], str]) -> "Document":
        """The same with every text changed; keys stay."""
        value = self._changed(self.value, (), change)
        return Document(self.name, value, self.lines)

    def _changed(self, value: Any, path: Path, change: Callable[[str], str]) -> Any:
        if shapes.is_mapping(value):
            entries: dict[str, Any] = value
            return {key: self._changed(v, (*path, key), change) for key, v in entries.items()}
        if shapes.is_list(value):
            items: list[Any] = value
            return [self._changed(item, (*path, n), change) for n, item in enumerate(items)]
        if not isinstance(value, str):
            return value
        try:
            return change(value)
        except ValueError as error:
            raise self.error(path, str(error), "Give it in the project's environment") from error


def read(name: str, content: bytes) -> Document:
    """Read a file's content.

    Raises:
        ComposeError: if it is not YAML, too large, or not a mapping of plain values.
    """
    if len(content) > LARGEST:
        raise errors.ComposeError(f"{name} is larger than {LARGEST // 1024} KiB")
    try:
        text = content.decode("utf-8")
        _require_bounds(name, text)
        root = _yaml.compose(text, Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        raise errors.ComposeError(f"{name} is not UTF-8") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise errors.ComposeError(f"{name} line {line}: {error.problem}", "Correct it") from error
    except yaml.YAMLError as error:
        raise errors.ComposeError(f"{name} is not YAML: {error}", "Correct it") from error
    reader = _Reader(name)
    if not isinstance(root, yaml.MappingNode):
        raise errors.ComposeError(f"{name} has no services", "Begin it with services:")
    return Document(name, reader.value(root, ()), reader.lines)


def _require_bounds(name: str, text: str) -> None:
    """Refuse what nests deeply before anything recurses into it."""
    depth = 0
    events: Iterable[Any] = _yaml.parse(text, Loader=yaml.SafeLoader)
    for count, event in enumerate(events):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST or count > _MOST_NODES:
            raise errors.ComposeError(f"{name} nests too deeply, or says too much")


class _Reader:
    """From YAML's nodes to values; what aliases stand for is counted each time."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes = 0
        self.lines: dict[Path, int] = {}

    def value(self, node: yaml.Node, path: Path) -> Any:
        """A node and all below it; its lines are noted."""
        self._nodes += 1
        if self._nodes > _MOST_NODES or len(path) > _DEEPEST:
            raise errors.ComposeError(f"{self._name}: its aliases stand for too much")
        self.lines[path] = int(node.start_mark.line) + 1
        if node.tag not in _TAGS:
            raise self._wrong(node, f"the tag {node.tag} is not supported")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, n)) for n, item in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, entry in node.value:
            name = str(key.value)
            if not isinstance(key, yaml.ScalarNode) or name in own:
                raise self._wrong(key, "a key that is not a text, or stands twice")
            if name == "<<":
                merged |= self._merged(entry, path)
            else:
                own[name] = self.value(entry, (*path, name))
                self.lines[(*path, name)] = int(key.start_mark.line) + 1
        return {**merged, **own}

    def _merged(self, node: yaml.Node, path: Path) -> dict[str, Any]:
        """What ``<<`` stands for: one mapping, or several of which the first wins."""
        several = node.value if isinstance(node, yaml.SequenceNode) else [node]
        found: dict[str, Any] = {}
        for one in several:
            if not isinstance(one, yaml.MappingNode):
                raise self._wrong(one, "<< stands for something that is not a mapping")
            found = {**self.value(one, path), **found}
        return found

    def _scalar(self, node: yaml.Node) -> Any:
        text = str(node.value)
        if getattr(node, "style", None) is not None:
            return text
        if text.lower() in _WORDS:
            return _WORDS[text.lower()]
        if _INTEGER.fullmatch(text) and len(text) < 20:
            return int(text)
        return float(text) if _FRACTION.fullmatch(text) and len(text) < 20 else text

    def _wrong(self, node: yaml.Node, what: str) -> errors.ComposeError:
        return errors.ComposeError(f"{self._name} line {node.start_mark.line + 1}: {what}")
