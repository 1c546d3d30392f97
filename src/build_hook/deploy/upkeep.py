"""Upkeep: everything of ours is held within its bounds, and more goes when the disk fills up."""

import dataclasses
import shutil
import time
from collections.abc import Collection, Iterable

from build_hook import settings
from build_hook.deploy import build_cache, collect, engine, images, log_folder
from build_hook.store import builds, departed

_DAY = 86_400


@dataclasses.dataclass(frozen=True, slots=True)
class Freed:
    """What was removed: images, records, logs and their bytes, bytes of build cache."""

    images: int = 0
    builds: int = 0
    logs: int = 0
    log_bytes: int = 0
    cache_bytes: int = 0

    def __add__(self, other: "Freed") -> "Freed":
        mine, others = dataclasses.astuple(self), dataclasses.astuple(other)
        return Freed(*(a + b for a, b in zip(mine, others, strict=True)))

    def __bool__(self) -> bool:
        return self != Freed()


class Upkeep:
    """Collects for one instance."""

    def __init__(
        self, with_settings: settings.Settings, docker_engine: engine.Engine, store: builds.Builds
    ) -> None:
        self._settings = with_settings
        self._engine = docker_engine
        self._store = store
        self._shelf = images.Images(docker_engine)
        self._cache = build_cache.BuildCache(docker_engine)

    def bound(self, names: Iterable[str]) -> Freed:
        """Hold images, records, logs and cache within their bounds."""
        known = tuple(names)
        freed = self._tidy(known, self._settings) + self._forget_departed(known)
        return freed + self._forget_logs() + self._cut_cache()

    def relieve(self, names: Iterable[str]) -> Freed:
        """Above the high mark: of each project only what serves and what served last stays."""
        if self.used_percent() < self._settings.disk_high_percent:
            return Freed()
        fewer = self._settings.model_copy(update={"keep_images": 1})
        return self._tidy(names, fewer) + self._cut_cache()

    def used_percent(self) -> float:
        """How full the fuller of the disks is: the state folder's, or the engine's."""
        found = [0.0]
        for folder in (self._settings.state, self._engine.data_root()):
            if folder.exists():  # a remote engine's folder is not ours to see
                usage = shutil.disk_usage(folder)
                found.append(100 * usage.used / (usage.used + usage.free))
        return max(found)

    # Private

    def _tidy(self, names: Iterable[str], within: settings.Settings) -> Freed:
        freed = Freed()
        for name in names:
            removed = collect.tidy(name, within, self._store, self._shelf)
            freed += Freed(images=removed.images, builds=removed.builds)
        return freed

    def _forget_departed(self, known: Collection[str]) -> Freed:
        """What was built for projects that have left is told for as long as logs are."""
        if not known:
            return Freed()  # that may as well be a registry that is lost
        before = time.time() - self._settings.keep_logs_days * _DAY
        return Freed(builds=departed.forget(self._store.session, known, before))

    def _forget_logs(self) -> Freed:
        gone = log_folder.forget_old(
            self._settings.logs,
            before=time.time() - self._settings.keep_logs_days * _DAY,
            most_bytes=self._settings.keep_logs_mb * 2**20,
            keep={build.id for build in self._store.running()},
        )
        return Freed(logs=len(gone), log_bytes=sum(log.size for log in gone))

    def _cut_cache(self) -> Freed:
        most = self._settings.build_cache_mb * 2**20
        if not most or self._cache.size() <= most:
            return Freed()
        return Freed(cache_bytes=self._cache.cut(most))
