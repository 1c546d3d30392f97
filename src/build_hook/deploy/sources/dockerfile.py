"""A repository with a Dockerfile: BuildKit makes the image."""

from build_hook.deploy import images, job
from build_hook.deploy.sources import base, repository


class Dockerfile(repository.Repository):
    """Builds the commit that was fetched."""

    def make(self, of: job.Job) -> base.Made:
        """Check the commit out and build it."""
        self._require_space()
        with self._repositories.checkout(of.project, of.commit, of.build.id) as folder:
            image = images.build(
                images.Order(of.project, of.build.id, of.commit, folder),
                instance=self._engine.instance,
                docker_host=self._engine.host,
                log=of.log,
                check_stop=of.check_stop,
            )
        return base.Made(image)
