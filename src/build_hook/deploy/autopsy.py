"""Why a build failed: what its container and its log tell, and what was different before."""

import contextlib
import re

from build_hook import card, errors, shown_settings
from build_hook.deploy import buildlog, checkout, containers, job
from build_hook.store import builds, cards

# What builders print of a command that failed in a Dockerfile.
_EXIT = re.compile(r"exit code:? (\d+)")


class Autopsy:
    """Looks before anything is removed, and writes the card."""

    def __init__(
        self,
        store: builds.Builds,
        engine: containers.Containers,
        repositories: checkout.Repositories,
    ) -> None:
        self._store = store
        self._containers = engine
        self._repositories = repositories

    def record(
        self, of: job.Job, phase: builds.Phase, reason: str, error: errors.BuildHookError | None
    ) -> None:
        """Write the card of a build that fails; what cannot be found out is left out."""
        found = card.Card(
            phase=phase,
            reason=of.log.redact(reason),
            next=next_command(of, error),
            log=of.log.last,
        )
        with contextlib.suppress(errors.BuildHookError):
            found = found.model_copy(update={"difference": self._difference(of)})
        with contextlib.suppress(errors.BuildHookError):
            found = found.model_copy(update=self._body(of))
        if phase is builds.Phase.BUILDING:
            found = found.model_copy(update={"exit_code": exit_code(found.log)})
        elif error is not None:
            found = found.model_copy(update={"exit_code": error.exit_code})
        cards.keep(self._store.session, of.build.id, found)

    # Private

    def _body(self, of: job.Job) -> dict[str, object]:
        """What the container tells; of several, the one that did not live."""
        left = [c for c in self._containers.all(of.project.name) if c.build == of.build.id]
        looked = filter(None, (self._containers.look(one.id) for one in left))
        seen = max(looked, key=_is_dead, default=None)
        if seen is None:
            return {}
        lines = self._containers.last_lines(seen.id)
        return {
            "out_of_memory": any(one.out_of_memory for one in seen.every),
            "restarts": max(one.restarts for one in seen.every),
            "container": tuple(of.log.redact(buildlog.clean(line)) for line in lines),
        }

    def _difference(self, of: job.Job) -> card.Difference | None:
        good = self._last_good(of)
        if good is None:
            return None
        commit = of.commit or of.build.commit
        files = self._files(of, good.commit, commit)
        return card.Difference(
            build=good.id,
            settings=shown_settings.changes(job.deployed_with(good, of.project), of.project),
            before=good.commit,
            after=commit,
            files=None if files is None else tuple(files[: card.MOST]),
            more_files=max(0, len(files or ()) - card.MOST),
        )

    def _last_good(self, of: job.Job) -> builds.Build | None:
        """What served before: the newest build that went live and is another one."""
        serving = self._store.serving().get(of.project.name)
        for number in (serving.build, serving.previous) if serving else ():
            if number is not None and number != of.build.id:
                return self._store.get(number)
        recent = self._store.recent(of.project.name, before=of.build.id)
        return next((b for b in recent if b.phase is builds.Phase.LIVE), None)

    def _files(self, of: job.Job, before: str | None, after: str | None) -> list[str] | None:
        if before is None or after is None:
            return None
        if before == after:
            return []
        return self._repositories.changed_paths(of.project, before, after)


def _is_dead(version: containers.Container) -> bool:
    return any(
        one.out_of_memory or one.restarts or not one.is_running or one.health == "unhealthy"
        for one in version.every
    )


def exit_code(lines: tuple[str, ...]) -> int | None:
    """The exit status of the command that failed in a build, if its last lines name one."""
    named = (_EXIT.search(line) for line in reversed(lines))
    return next((int(found[1]) for found in named if found), None)


def next_command(of: job.Job, error: errors.BuildHookError | None) -> str:
    """The command to go on with: another try where the commit is not to blame, else the log."""
    if error is not None and (error.is_passing or isinstance(error, errors.ContainerError)):
        return f"build-hook deploy {of.project.name}"
    if of.build.source is not None and isinstance(error, errors.ImageError):
        return f"build-hook builds {of.project.name}"
    return f"build-hook logs {of.build.id}"
