"""What all sources share that begin with a git repository."""

import abc
from collections.abc import Sequence

from build_hook import patterns, project, repository_settings, settings
from build_hook.deploy import checkout, engine, images, intake, job
from build_hook.deploy.sources import base
from build_hook.store import builds


class Repository(abc.ABC):
    """Fetches a commit and compares it; how an image is made of it differs."""

    def __init__(self, with_settings: settings.Settings, docker_engine: engine.Engine) -> None:
        self._settings = with_settings
        self._engine = docker_engine
        self._repositories = checkout.Repositories(with_settings)

    def heads(self, group: Sequence[project.Project]) -> dict[str, str]:
        """Ask the git host for all refs at once."""
        found = self._repositories.heads(group[0], {of.ref for of in group})
        return {of.name: found[of.ref] for of in group if of.ref in found}

    def find(self, of: job.Job) -> base.Found:
        """Fetch the head of the build's ref; of a scheduled rebuild the commit that serves."""
        commit = self._repositories.fetch(of.project, self._named(of), of.check_stop)
        self._tune(of, commit)
        return base.Found(commit, self._repositories.message(of.project, commit))

    def has_changed(self, of: job.Job, live: str) -> bool:
        """Whether a file of the project's ``paths`` differs, if it has any."""
        if not of.project.paths:
            return True
        changed = self._repositories.changed_paths(of.project, live, of.commit)
        if changed is None:
            of.log(f"{live} is no longer here to compare with: building")
            return True
        return any(patterns.fits(p, name) for p in of.project.paths for name in changed)

    @abc.abstractmethod
    def make(self, of: job.Job) -> base.Made:
        """Make an image of the commit that was fetched."""

    def keep(self, of: job.Job) -> None:
        """Hold on to the commit that is live."""
        commit = of.commit or of.build.commit
        if commit:
            self._repositories.keep(of.project, commit)

    def _named(self, of: job.Job) -> str:
        """What is to be fetched; a person may name a tag as shortly as a branch."""
        if of.build.cause is builds.Cause.REBUILD and of.build.commit:
            return of.build.commit
        ref = of.build.ref
        if of.build.cause is not builds.Cause.DEPLOY or ref == of.project.ref:
            return ref
        tag = ref.replace("refs/heads/", "refs/tags/", 1)
        if tag == ref:
            return ref
        found = self._repositories.heads(of.project, {ref, tag}, of.check_stop)
        return tag if tag in found and ref not in found else ref

    def _tune(self, of: job.Job, commit: str) -> None:
        """Let the repository's own settings count, as far as the project says."""
        file = repository_settings.FILE
        text = self._repositories.read(of.project, commit, file, repository_settings.MOST_BYTES)
        if text is None:
            return
        if of.project.repository_settings == "none":
            of.log(f"{file} is not looked at: the project's repository_settings is none")
            return
        asked = repository_settings.parse(text)
        of.project = repository_settings.apply(of.project, asked)
        said = asked.model_dump_json(exclude_unset=True)
        of.store.note(of.build.id, overlay=said)
        of.log(f"{file} asks for {said}; what the registry sets goes first")

    def _require_room(self, of: job.Job) -> None:
        """Look before the commit is checked out: git packs a disk of zeroes into little."""
        for folder in (self._settings.state, self._engine.data_root()):
            images.require_space(folder, self._settings.min_free_mb)
        size = self._repositories.size(of.project, of.commit)
        intake.require_small(size, self._settings.build_context_mb)
