"""Who comes first where processors are short: what is served, or the engine at work for builds."""

import pathlib

ROOT = pathlib.Path("/sys/fs/cgroup")
# The unit's group in both versions of control groups, and what every service has by default
# (systemd.resource-control(5): 100 of CPUWeight, 1024 of cpu.shares).
_UNIT = pathlib.Path("system.slice", "docker.service")
_GROUPS = (
    (pathlib.Path(_UNIT, "cpu.weight"), 100),
    (pathlib.Path("cpu", _UNIT, "cpu.shares"), 1024),
)
_ADVICE = "see docs/how-to/limit-builds.md, Have the engine give way"


def of_engine(root: pathlib.Path = ROOT) -> str:
    """What the engine's processes count for beside the others, as a sentence."""
    for file, usual in _GROUPS:
        try:
            weight = int((root / file).read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
        if weight < usual:
            return f"it gives way to what is served: {weight} instead of {usual}"
        return f"it gives way to nobody, so that builds can slow down what is served: {_ADVICE}"
    return f"not known, docker.service has no control group here: {_ADVICE}"
