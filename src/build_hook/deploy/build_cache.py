"""The engine's build cache: how much it holds, and cutting it down.

Records have no owner: what is cut is what was used least recently, whoever made it. It happens
only where the operator has said that the cache is ours (docs/adr/0017).
"""

from typing import Any

from build_hook.deploy import engine


class BuildCache:
    """The cache of one engine."""

    def __init__(self, docker_engine: engine.Engine) -> None:
        self._engine = docker_engine

    def size(self) -> int:
        """Bytes that no image needs."""
        with self._engine.speaking("measure the build cache"):
            records: list[dict[str, Any]] = self._engine.api.df()["BuildCache"] or []
        return sum(record["Size"] for record in records if not record["Shared"])

    def cut(self, to: int) -> int:
        """Remove what was used least recently until no more than ``to`` bytes are left.

        What builds use at this moment stays. Returns the bytes that were freed.
        """
        with self._engine.speaking("cut down the build cache"):
            return int(self._engine.api.prune_builds(keep_storage=to)["SpaceReclaimed"])
