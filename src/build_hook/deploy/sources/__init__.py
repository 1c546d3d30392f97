"""Where images come from: one file per kind of project, all behind one protocol."""

from build_hook import project, settings
from build_hook.deploy import builder, engine
from build_hook.deploy.sources import base, compose, dockerfile, image

Found = base.Found
Made = base.Made
Source = base.Source

__all__ = ["Found", "Made", "Source", "Sources"]


class Sources:
    """The kinds, each made once; which one a project has, the project says."""

    def __init__(self, with_settings: settings.Settings, docker_engine: engine.Engine) -> None:
        by = builder.Builder(with_settings, docker_engine)
        self._dockerfile = dockerfile.Dockerfile(with_settings, docker_engine, by)
        self._image = image.Image(with_settings, docker_engine)
        self._compose = compose.Compose(with_settings, docker_engine, by)

    def of(self, of: project.Project) -> Source:
        """Where a project's images come from."""
        if of.compose is not None:
            return self._compose
        return self._dockerfile if of.image is None else self._image
