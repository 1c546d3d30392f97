"""How much builds may take: settings, a project's own limits, and this machine's size."""

import os
import re

from build_hook import recipe, settings
from build_hook.deploy import cgroups

# What compilers start grows with the processors; what a fork bomb costs users, with this.
PIDS_PER_PROCESSOR = 512
_UNITS = {"": 1, "b": 1, "k": 2**10, "m": 2**20, "g": 2**30}


def of_settings(given: settings.Settings) -> cgroups.Ceiling:
    """What all builds may take together; what is 0 there is measured by this machine."""
    processors = os.cpu_count() or 1
    return cgroups.Ceiling(
        cpus=given.build_cpus or processors / 2,
        memory=given.build_memory_mb * 2**20 or _machine_memory() // 2,
        pids=given.build_pids or PIDS_PER_PROCESSOR * processors,
    )


def of(limits: recipe.Limits, otherwise: cgroups.Ceiling) -> cgroups.Ceiling:
    """What one build may take: a project's own limits, and the common ones where it has none."""
    return cgroups.Ceiling(
        cpus=limits.cpus or otherwise.cpus,
        memory=_bytes(limits.memory) if limits.memory else otherwise.memory,
        pids=limits.pids or otherwise.pids,
    )


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+)([bkmg]?)b?", text.lower())
    if found is None:
        raise ValueError(f"{text!r} is no number of bytes")
    return int(found[1]) * _UNITS[found[2]]


def _machine_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
