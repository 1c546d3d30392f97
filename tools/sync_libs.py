"""Copies the relation libraries from ``lib/`` to the charms that use them.

A charm packs from its own folder alone, so each carries a copy; ``lib/`` is the source of truth.
``python tools/sync_libs.py`` writes the copies, ``--check`` only says which are out of step.
"""

import pathlib
import sys

ROOT = pathlib.Path(__file__).parent.parent
SOURCE = ROOT / "lib"
# charm → the libraries it uses, below lib/charms
USERS = {
    "charms/dockerfile": ("docker_build_hook/v0/dockerfile.py",),
    "examples/branded-charm": ("docker_build_hook/v0/dockerfile.py",),
}


def copies() -> dict[pathlib.Path, pathlib.Path]:
    """Every copy, and what it is a copy of."""
    return {
        ROOT / charm / "lib" / "charms" / library: SOURCE / "charms" / library
        for charm, libraries in USERS.items()
        for library in libraries
    }


def stale() -> list[pathlib.Path]:
    """The copies that are missing or differ."""
    return [
        copy
        for copy, source in copies().items()
        if not copy.is_file() or copy.read_bytes() != source.read_bytes()
    ]


def write() -> list[pathlib.Path]:
    """Bring all copies into step; returns those that were written."""
    written = stale()
    for copy in written:
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(copies()[copy].read_bytes())
    return written


def main(arguments: list[str]) -> int:
    """Write or check; 1 if a check finds a copy out of step."""
    only_check = arguments == ["--check"]
    for copy in stale() if only_check else write():
        print(copy.relative_to(ROOT))
    return int(only_check and bool(stale()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
