"""Whether a build would change anything; one that would not is skipped."""

from build_hook import errors
from build_hook.deploy import images, job, sources
from build_hook.store import builds, enqueuing, parts

# Not skipped for having nothing new: a person asked, or the base image is what may be new.
_ALWAYS = (builds.Cause.DEPLOY, builds.Cause.ROLLBACK, builds.Cause.REBUILD)


class NotWantedError(errors.BuildHookError):
    """The build is not needed; its text says why."""


class Wanted:
    """Compares what is built with what serves."""

    def __init__(self, store: builds.Builds, shelf: images.Images) -> None:
        self._store = store
        self._images = shelf

    def check_commit(self, of: job.Job, source: sources.Source, message: str) -> None:
        """A person's deploy is always done; a push is not, where it would change nothing.

        Raises:
            NotWantedError: if it would not.
        """
        if of.build.cause in _ALWAYS:
            return
        is_other = of.project.after_ci and of.build.commit not in (None, of.commit)
        # CI may end late for an older commit, or for one of another branch: what had succeeded
        # for the newest commit must not get lost by giving way to that
        if is_other and not self._was_overtaken(of):
            raise NotWantedError(
                f"{of.build.ref} is at {of.commit[:10]} by now, whose own CI decides"
            )
        word = next((word for word in of.project.skip_words if word in message), None)
        if word is not None:
            raise NotWantedError(f"the head commit says {word}")
        live = self._live(of)
        if live is None or not _runs_alike(live, of) or self._lacks_service(live, of):
            return
        if live.commit == of.commit:
            raise NotWantedError(f"build {live.id} of the same commit is live")
        if not source.has_changed(of, live.commit or ""):
            paths = ", ".join(of.project.paths)
            raise NotWantedError(f"no file of {paths} has changed since it went live")

    def check_image(self, of: job.Job) -> None:
        """A scheduled rebuild that changed nothing is not worth a deploy.

        Raises:
            NotWantedError: if the image holds what serves already.
        """
        live = self._live(of)
        if of.build.cause is not builds.Cause.REBUILD or live is None or live.image is None:
            return
        if _runs_alike(live, of) and self._is_alike(live, of):
            raise NotWantedError(f"nothing has changed below or in build {live.id}")

    def _is_alike(self, live: builds.Build, of: job.Job) -> bool:
        """Whether all images hold what those hold that serve."""
        old, new = self._by_name(live.id, live.image), self._by_name(of.build.id, of.image)
        return old.keys() == new.keys() and all(
            self._images.exists(old[name]) and self._images.are_alike(old[name], new[name])
            for name in old
        )

    def _by_name(self, build: int, image: str | None) -> dict[str, str]:
        """The images of a build by service; by no name where it is one container."""
        pieces = parts.read(self._store.session, build)
        return {piece.part.name: piece.image for piece in pieces} or {"": image or ""}

    def _was_overtaken(self, of: job.Job) -> bool:
        build, store = of.build, self._store.session
        return enqueuing.was_overtaken(store, build.project, build.ref, of.commit)

    def _lacks_service(self, live: builds.Build, of: job.Job) -> bool:
        """Whether one of several services is gone, or nobody knows any more which there are."""
        if of.project.compose is None:
            return False
        serving, pieces = self._store.serving(), parts.read(self._store.session, live.id)
        return not pieces or any(
            piece.part.name not in serving for piece in pieces if not piece.part.ends
        )

    def _live(self, of: job.Job) -> builds.Build | None:
        serving = self._store.serving().get(of.project.name)
        return self._store.get(serving.build) if serving else None


def _runs_alike(live: builds.Build, of: job.Job) -> bool:
    return job.deployed_with(live, of.project).runs_as == of.project.runs_as
