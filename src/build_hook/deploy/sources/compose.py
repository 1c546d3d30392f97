"""A repository with a compose file: one image for each of its services."""

import pathlib

from build_hook import part, settings
from build_hook.compose import reading
from build_hook.deploy import build_command, builder, engine, job
from build_hook.deploy.sources import base, repository, service_images
from build_hook.store import parts


class Compose(repository.Repository):
    """Builds or pulls the images of all services; the record has them as parts."""

    def __init__(
        self,
        with_settings: settings.Settings,
        docker_engine: engine.Engine,
        by: builder.Builder,
    ) -> None:
        super().__init__(with_settings, docker_engine)
        self._builder = by
        self._services = service_images.ServiceImages(with_settings, docker_engine)
        self._parts = parts.Parts(with_settings.database)

    def make(self, of: job.Job) -> base.Made:
        """Check the commit out, read its file, make every image."""
        self._require_room(of)
        with self._repositories.checkout(of.project, of.commit, of.build.id) as folder:
            group = reading.read(folder, of.project, self._engine.instance)
            for note in group.notes:
                of.log(note)
            made = [parts.Piece(one, self._image(of, one, folder)) for one in group.parts]
        self._parts.put(of.build.id, made)
        return base.Made(parts.name_of(made))

    # Private

    def _image(self, of: job.Job, one: part.Part, folder: pathlib.Path) -> str:
        if one.reference:
            of.log.headline(f"pulling {one.service_name}")
            return self._services.bring(of, one)
        of.log.headline(f"building {one.service_name}")
        order = build_command.Order(one, of.build.id, of.commit, folder, fresh=of.build.fresh)
        return self._builder.build(order, of.log, of.check_stop)
