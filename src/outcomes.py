"""How the projects fare, as the product tells it: what serves and how the last build ended."""

import dataclasses
from typing import Any

from charms.docker_build_hook.v0 import dockerfile

import product
from build_hook import settings


@dataclasses.dataclass(frozen=True)
class Fate:
    """One project: the build that serves, the last one asked for, what stands in the way."""

    serving: dockerfile.Outcome | None = None
    last: dockerfile.Outcome | None = None
    problem: str | None = None

    @property
    def failure(self) -> str | None:
        """Why the last build is not what serves; None if all is well or still under way."""
        if self.last is None or self.last.phase not in ("failed", "rolled-back"):
            return None
        return f"build {self.last.build} {self.last.phase}: {self.last.reason or 'no reason'}"


def of_all(options: settings.Settings) -> dict[str, Fate]:
    """The fates of all registered projects; none if the product cannot tell."""
    try:
        listing = product.Product(options).call("projects", timeout=30)
    except product.ProductError:
        return {}
    return {entry["name"]: _fate(entry) for entry in listing["projects"]}


def _fate(entry: dict[str, Any]) -> Fate:
    return Fate(_serving(entry), _last(entry), entry["problem"])


def _serving(entry: dict[str, Any]) -> dockerfile.Outcome | None:
    if entry["live"] is None:
        return None
    return dockerfile.Outcome(
        build=entry["live"], phase="live", commit=entry["commit"], finished=entry["live_since"]
    )


def _last(entry: dict[str, Any]) -> dockerfile.Outcome | None:
    if entry["last_build"] is None:
        return None
    number, phase = entry["last_build"].split(" ", 1)
    return dockerfile.Outcome(build=int(number), phase=phase, reason=entry["reason"])
