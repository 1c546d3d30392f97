"""What a packed charm was made of, so that nothing is packed twice."""

import hashlib
import pathlib
from collections.abc import Iterable

# Folders of the repository of which nothing gets into a charm.
OUTSIDE = ("tests/", "docs/", "benchmarks/", "bundles/", "examples/", ".ci/")
TOOLS = "tools/"


def ingredients(folder: str, files: Iterable[str]) -> list[str]:
    """Those of the repository's files that a charm in this folder is made of, and by."""
    if folder != ".":
        return sorted(file for file in files if file.startswith((f"{folder}/", TOOLS)))
    return sorted(file for file in files if not file.startswith((*OUTSIDE, "charms/")))


def seal(root: pathlib.Path, files: Iterable[str], python: str) -> str:
    """A digest of the files' names, modes and contents, and of the interpreter."""
    digest = hashlib.sha256(python.encode())
    for name in files:
        path = root / name
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"\n{name} {path.stat().st_mode:o} {content}".encode())
    return digest.hexdigest()


def is_current(note: pathlib.Path, packed: pathlib.Path, of: str) -> bool:
    """Whether the packed charm is there as it was noted, and made of that."""
    if not (note.exists() and packed.exists()):
        return False
    return note.read_text(encoding="ascii") == _text(packed, of)


def put(note: pathlib.Path, packed: pathlib.Path, of: str) -> None:
    """Note what a packed charm was made of."""
    note.write_text(_text(packed, of), encoding="ascii")


def _text(packed: pathlib.Path, of: str) -> str:
    return f"{of} {hashlib.sha256(packed.read_bytes()).hexdigest()}\n"
