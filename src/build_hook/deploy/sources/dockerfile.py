"""A repository with a Dockerfile: BuildKit makes the image."""

import pathlib

from build_hook import errors, settings
from build_hook.compose import files
from build_hook.deploy import build_command, builder, engine, job
from build_hook.deploy.sources import base, repository


class Dockerfile(repository.Repository):
    """Builds the commit that was fetched."""

    def __init__(
        self,
        with_settings: settings.Settings,
        docker_engine: engine.Engine,
        by: builder.Builder,
    ) -> None:
        super().__init__(with_settings, docker_engine)
        self._builder = by

    def make(self, of: job.Job) -> base.Made:
        """Check the commit out and build it."""
        self._require_room(of)
        with self._repositories.checkout(of.project, of.commit, of.build.id) as folder:
            _require_dockerfile(of, folder)
            order = build_command.Order(
                of.project, of.build.id, of.commit, folder, fresh=of.build.fresh
            )
            return base.Made(self._builder.build(order, of.log, of.check_stop))


def _require_dockerfile(of: job.Job, folder: pathlib.Path) -> None:
    """Where there is a compose file only, its services are most likely what is meant."""
    how = of.project.build
    name = files.name_in(folder)
    if name is not None and not (folder / how.context / how.dockerfile).exists():
        raise errors.CheckoutError(
            f"The repository has no {how.dockerfile!r}, but a {name}",
            f'To run its services: build-hook add {of.project.name} --compose, or "compose": {{}} '
            "in the registry",
        )
