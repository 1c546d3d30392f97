"""Compares what a packed charm holds with what it should hold: no less, and nothing else."""

import pathlib
import re
import zipfile
from collections.abc import Iterable, Iterator

DESCRIPTIONS = {"metadata.yaml", "config.yaml", "actions.yaml", "dispatch", "LICENSE"}
MADE = {"manifest.yaml"}  # by charmcraft
PACKAGES = r"venv/lib/{}/site-packages/([^/]+)"
ENVIRONMENT = re.compile(r"venv/(bin/activate|pyvenv\.cfg|\.gitignore)")
EXECUTABLE = ("dispatch", "src/charm.py")
CHECKED_HASH = (3).to_bytes(4, "little")


def faults(
    packed: pathlib.Path, folder: pathlib.Path, tracked: Iterable[str], python: str = "python3.12"
) -> list[str]:
    """What is missing from the charm, or too much in it, as sentences."""
    with zipfile.ZipFile(packed) as charm:
        members = {i.filename: i.external_attr >> 16 for i in charm.infolist() if not i.is_dir()}
        bytecode = (name for name in sorted(members) if name.endswith(".pyc"))
        stale = [name for name in bytecode if not _by_content(charm, name)]
    requirements = (folder / "requirements.txt").read_text(encoding="utf-8")
    wanted = set(_expected(tracked)) | MADE
    packages = re.compile(PACKAGES.format(re.escape(python)))
    own = {name for name in members if not name.startswith("venv/")}
    wanted |= {_compiled(name, python) for name in wanted if name.endswith(".py")}
    return [
        *(f"{name} is missing" for name in sorted(wanted - own)),
        *(f"{name} has no business there" for name in sorted(own - wanted)),
        *(f"{name} is stale once it is unpacked" for name in stale),
        *(f"{name} is not executable" for name in EXECUTABLE if not members.get(name, 0) & 0o111),
        *_environment_faults(members.keys() - own, requirements, packages),
    ]


def _compiled(name: str, python: str) -> str:
    """Where a module's bytecode stands."""
    path = pathlib.PurePath(name)
    tag = python.replace("python", "cpython-").replace(".", "")
    return str(path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc")


def _by_content(charm: zipfile.ZipFile, name: str) -> bool:
    """Whether bytecode names the content of its source, not its time (PEP 552)."""
    with charm.open(name) as file:
        return file.read(8)[4:] == CHECKED_HASH


def _expected(tracked: Iterable[str]) -> Iterator[str]:
    for name in tracked:
        if name in DESCRIPTIONS or name.startswith(("src/", "lib/")):
            yield name


def _environment_faults(
    members: set[str], requirements: str, packages: re.Pattern[str]
) -> Iterator[str]:
    found = {match[1] for name in members if (match := packages.match(name))}
    distributions = {_normal(name.partition("-")[0]) for name in found if "dist-info" in name}
    here = [
        _normal(match[1])
        for match in re.finditer(r"^([A-Za-z0-9._-]+)==\S+ ?(;.*)?\\?$", requirements, re.M)
        if "win32" not in (match[2] or "")
    ]
    yield from (f"package {name} is missing" for name in here if name not in distributions)
    yield from (f"package {n} was not asked for" for n in sorted(distributions - set(here)))
    strange = {n for n in members if not packages.match(n) and not ENVIRONMENT.fullmatch(n)}
    yield from (f"{name} has no business there" for name in sorted(strange))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
