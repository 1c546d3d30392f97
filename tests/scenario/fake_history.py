"""What a worker would have written: a real database, without builds that took place."""

import pathlib

from build_hook.deploy import condition
from build_hook.store import builds


class History:
    """Builds that ended, and what stands in the way of others."""

    def __init__(self, state: pathlib.Path) -> None:
        (state / "run").mkdir(parents=True, exist_ok=True)
        self._run = state / "run"
        self._store = builds.Builds(state / "build-hook.db")

    def close(self) -> None:
        self._store.close()

    def live(self, project: str, commit: str) -> builds.Build:
        build = self._add(project)
        self._store.note(build, commit_id=commit)
        self._store.enter(build, builds.Phase.LIVE)
        self._store.set_serving(project, build, None)
        return self._store.get(build)

    def failed(self, project: str, reason: str) -> None:
        self._store.enter(self._add(project), builds.Phase.FAILED, reason)

    def problem(self, project: str, text: str) -> None:
        condition.write(self._run, condition.Condition(projects={project: text}))

    def ill(self, **problems: str) -> None:
        """What is wrong with no project in particular."""
        condition.write(self._run, condition.Condition.model_validate(problems))

    def _add(self, project: str) -> int:
        asked = builds.Request(project, "refs/heads/main", builds.Cause.PUSH)
        return self._store.add(asked).id
