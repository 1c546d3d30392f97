"""Whose turn it is: fair between projects; what is held waits and says why."""

from collections.abc import Collection, Iterator

from build_hook import holds, registry, settings
from build_hook.store import builds


class Turns:
    """Chooses among the queued builds."""

    def __init__(
        self, with_settings: settings.Settings, store: builds.Builds, known: registry.Reader
    ) -> None:
        self._settings = with_settings
        self._store = store
        self._registry = known
        self._last: dict[str, int] = {}

    def next(self, busy: Collection[str]) -> Iterator[builds.Build]:
        """Builds that may begin, the project whose turn was longest ago first."""
        waiting = self._store.queued()
        if not waiting:
            return
        held = holds.now(self._settings, self._store)
        for build in sorted(waiting, key=lambda b: (self._last.get(b.project, 0), b.id)):
            why = held.why_build(build, self._registry.current.find(build.project))
            if why is not None:
                if build.reason != why:
                    self._store.note(build.id, reason=why)
            elif self._registry.is_outdated:
                return  # what was changed before a push counts for it: the next round has read it
            elif build.project not in busy:
                yield build

    def take(self, build: builds.Build) -> None:
        """Note that a build begins."""
        self._last[build.project] = build.id

    def is_held(self, build: builds.Build) -> bool:
        """Whether a queued build waits for the end of a pause or a freeze."""
        return self.why_held(build) is not None

    def why_held(self, build: builds.Build) -> str | None:
        """Why a queued build waits, if it is held."""
        return holds.now(self._settings, self._store).why_build(
            build, self._registry.current.find(build.project)
        )
