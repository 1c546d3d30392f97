"""What people ask for, on the command line and through the API: deploy, roll back, cancel."""

import pathlib

from build_hook import errors, project, wake
from build_hook.store import builds

# How far back an earlier version is looked for.
_REACH = 1000


class Orders:
    """Asks for builds, and wakes the worker for them."""

    def __init__(self, store: builds.Builds, run: pathlib.Path) -> None:
        self._store = store
        self._run = run

    def deploy(self, of: project.Project, ref: str | None = None) -> builds.Build:
        """Build the head of a ref, by default the tracked one, whether it has changed or not.

        Raises:
            ValueError: if that cannot be a ref.
            RegistryError: if the project follows a pattern and no ref is named.
        """
        if ref is None and (of.tags or of.branches):
            raise errors.RegistryError(
                f"{of.name} follows {of.branch}, which names no single ref",
                f"Name one: build-hook deploy {of.name} --ref REF",
            )
        wanted = of.ref_of(ref) if ref else of.ref
        return self._add(builds.Request(of.name, wanted, builds.Cause.DEPLOY))

    def roll_back(self, of: project.Project, to: int | None = None) -> builds.Build:
        """Put an earlier build live again, by default the version before the one that serves.

        Raises:
            StoreError: if there is none, or it has no image.
        """
        source = self._store.get(to) if to is not None else self._one_before(of.name)
        if source.project != of.name or source.image is None:
            raise errors.StoreError(
                f"Build {source.id} has no image of {of.name}",
                f"List them: build-hook builds {of.name}",
            )
        return self._add(
            builds.Request(
                of.name, source.ref, builds.Cause.ROLLBACK, source.commit, source=source.id
            )
        )

    def cancel(self, build: int) -> builds.Build:
        """Stop a build before it takes traffic.

        Raises:
            StoreError: if there is none, or it is too late.
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
            if was_live and build.id != newest and build.image not in (None, live_image):
                return build
        raise errors.StoreError(
            f"{name} has no earlier version to go back to", f"See: build-hook builds {name}"
        )
