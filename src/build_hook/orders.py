"""What people ask for, on the command line and through the API: deploy, roll back, cancel."""

import pathlib
from collections.abc import Callable

from build_hook import errors, project, wake
from build_hook.store import builds

# How far back an earlier version is looked for.
_REACH = 1000


class Orders:
    """Asks for builds, and wakes the worker for them."""

    def __init__(
        self,
        store: builds.Builds,
        run: pathlib.Path,
        held: Callable[[project.Project], str | None] = lambda of: None,
    ) -> None:
        self._store = store
        self._run = run
        self._held = held

    def deploy(
        self,
        of: project.Project,
        ref: str | None = None,
        *,
        force: bool = False,
        fresh: bool = False,
    ) -> builds.Build:
        """Build the head of a ref, by default the tracked one, whether it has changed or not.

        ``force`` though the project is held; ``fresh`` on the newest base image.

        Raises:
            ValueError: if that cannot be a ref.
            RegistryError: if the project follows a pattern and no ref is named, or has left.
            HeldError: if the project is paused or frozen.
        """
        _require_active(of)
        if ref is None and (of.tags or of.branches):
            raise errors.RegistryError(
                f"{of.name} follows {of.branch}, which names no single ref",
                f"Name one: build-hook deploy {of.name} --ref REF",
            )
        wanted = of.ref_of(ref) if ref else of.ref
        why = None if force else self._held(of)
        if why is not None:
            raise errors.HeldError(why, f"To deploy now: build-hook deploy {of.name} --force")
        return self._add(
            builds.Request(of.name, wanted, builds.Cause.DEPLOY, force=force, fresh=fresh)
        )

    def roll_back(self, of: project.Project, to: int | None = None) -> builds.Build:
        """Put an earlier build live again, by default the version before the one that serves.

        Raises:
            StoreError: if there is none, or it has no image.
            RegistryError: if the project has left.
        """
        _require_active(of)
        source = self._store.get(to) if to is not None else self._one_before(of.name)
        if source.project != of.name or source.image is None or not source.has_image:
            raise errors.StoreError(
                f"Build {source.id} has no image of {of.name}", self._choices(of.name)
            )
        return self._add(
            builds.Request(
                of.name, source.ref, builds.Cause.ROLLBACK, source.commit, source=source.id
            )
        )

    def cancel(self, build: int) -> builds.Build:
        """Stop a build; one that is watched gives the traffic back.

        Raises:
            StoreError: if there is none, or it has ended, or it is the first to serve.
        """
        found = self._store.ask_cancel(build)
        wake.send(self._run)
        return found

    def _add(self, request: builds.Request) -> builds.Build:
        build = self._store.add(request)
        wake.send(self._run)
        return build

    def _one_before(self, name: str) -> builds.Build:
        serving = self._store.serving().get(name)
        newest = serving.build if serving else None
        live_image = self._store.get(newest).image if newest else None
        for build in self._store.recent(name, _REACH):
            was_live = any(phase is builds.Phase.LIVE for phase, _ in self._store.phases(build.id))
            has_image = build.has_image and build.image not in (None, live_image)
            if was_live and build.id != newest and has_image:
                return build
        raise errors.StoreError(
            f"{name} has no earlier version to go back to", f"See: build-hook builds {name}"
        )

    def _choices(self, name: str) -> str:
        """What there is to go back to, as a hint."""
        recent = self._store.recent(name, _REACH)
        known = [str(b.id) for b in recent if b.phase is builds.Phase.LIVE and b.has_image]
        if not known:
            return f"List them: build-hook builds {name}"
        return f"These have one: {', '.join(known[:10])}"


def _require_active(of: project.Project) -> None:
    if of.kept:
        raise errors.RegistryError(
            f"{of.name} has left, and what serves of it is kept as it is",
            "Register it again (build-hook add, or relate it) to deploy it",
        )
