"""A repository with a Dockerfile: BuildKit makes the image."""

from build_hook import settings
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
            order = build_command.Order(
                of.project, of.build.id, of.commit, folder, fresh=of.build.fresh
            )
            return base.Made(self._builder.build(order, of.log, of.check_stop))
