"""Why a project's pushes wait: a pause that somebody made, or a window in which it is frozen."""

import dataclasses
import time
from collections.abc import Mapping

from build_hook import project, settings, windows, zones
from build_hook.store import builds, pauses


@dataclasses.dataclass(frozen=True, slots=True)
class Holds:
    """What holds projects now; ``when`` is the moment, in Unix seconds."""

    settings: settings.Settings
    pauses: Mapping[str, pauses.Pause]
    when: float

    def why(self, of: project.Project) -> str | None:
        """Why a project's pushes wait; None if they do not."""
        return self._paused(of.name) or self._frozen(of)

    def why_build(self, build: builds.Build, of: project.Project | None) -> str | None:
        """Why a queued build waits. What keeps up or brings back a version never does."""
        if build.force or build.source is not None:
            return None
        return self.why(of) if of is not None else self._paused(build.project)

    def _paused(self, name: str) -> str | None:
        for key, who, argument in ((pauses.ALL, "everything", ""), (name, name, f" {name}")):
            found = self.pauses.get(key)
            if found is not None:
                since = time.strftime("%Y-%m-%d %H:%M", time.gmtime(found.since))
                why = f" ({found.reason})" if found.reason else ""
                return f"{who} is paused since {since} UTC{why}, until build-hook resume{argument}"
        return None

    def _frozen(self, of: project.Project) -> str | None:
        zone = of.time_zone or self.settings.time_zone
        now = zones.wall_clock(self.when, zone)
        for text in (*of.freeze, *self.settings.freeze):
            end = windows.parse(text).end(now)
            if end is not None:
                return f"{of.name} is frozen until {end:%a %Y-%m-%d %H:%M} {zone} ({text})"
        return None


def now(with_settings: settings.Settings, store: builds.Builds) -> Holds:
    """What holds projects at this moment."""
    return Holds(with_settings, pauses.read(store.session), time.time())
