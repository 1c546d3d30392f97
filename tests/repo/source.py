"""The repository as text and as syntax trees, for the rules of the house."""

import ast
import functools
import pathlib
import subprocess
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "build_hook"


@functools.cache
def files() -> tuple[pathlib.Path, ...]:
    """All files that are, or are about to be, in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout.decode()
    paths = (ROOT / name for name in listed.split("\0") if name)
    return tuple(sorted(path for path in paths if path.is_file()))


@functools.cache
def texts() -> dict[str, str]:
    """The text files, by path."""
    found = {}
    for path in files():
        data = path.read_bytes()
        if b"\0" not in data:
            found[str(path.relative_to(ROOT))] = data.decode()
    return found


@functools.cache
def trees() -> dict[str, ast.Module]:
    """The syntax tree of every Python file, by path."""
    return {name: ast.parse(text, name) for name, text in texts().items() if name.endswith(".py")}


@functools.cache
def modules() -> dict[str, ast.Module]:
    """The product's modules by dotted name; a package by its own name."""
    return {
        _dotted(pathlib.PurePosixPath(name)): tree
        for name, tree in trees().items()
        if name.startswith("src/build_hook/")
    }


@functools.cache
def imports(module: str) -> frozenset[str]:
    """What a module imports anywhere in it: modules where they are known, else dotted names."""
    return frozenset(_resolve(name) for name in imported(modules()[module]))


def imported(tree: ast.AST) -> Iterator[str]:
    """The dotted names that a tree imports, `from a import b` as a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import: name the module in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def reachable(start: str, *, with_packages: bool = True) -> frozenset[str]:
    """Everything that is imported when a module is, the packages it lies in included or not."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in modules():
            waiting += imports(name)
            if with_packages:
                waiting.append(name.rpartition(".")[0] or name)
    return frozenset(seen)


def _dotted(path: pathlib.PurePosixPath) -> str:
    parts = path.relative_to("src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _resolve(name: str) -> str:
    if name in modules():
        return name
    parent = name.rpartition(".")[0]
    return parent if parent in modules() else name
