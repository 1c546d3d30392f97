"""Where images come from: one file per kind of project, all behind one protocol."""

import logging

from build_hook import errors, project, settings
from build_hook.deploy import builder, checkout, engine, guard, programs
from build_hook.deploy.sources import base, compose, dockerfile, image, script

Found = base.Found
Made = base.Made
Source = base.Source

_log = logging.getLogger(__name__)
__all__ = ["Found", "Made", "Source", "Sources", "prepare"]


class Sources:
    """The kinds, each made once; which one a project has, the project says."""

    def __init__(self, with_settings: settings.Settings, docker_engine: engine.Engine) -> None:
        watch = guard.Guard(with_settings, docker_engine)
        by = builder.Builder(with_settings, docker_engine, watch)
        self._dockerfile = dockerfile.Dockerfile(with_settings, docker_engine, by)
        self._image = image.Image(with_settings, docker_engine)
        self._compose = compose.Compose(with_settings, docker_engine, by)
        self._script = script.Script(with_settings, docker_engine, watch)

    def of(self, of: project.Project) -> Source:
        """Where a project's images come from."""
        if of.strategy == "script":
            return self._script
        if of.compose is not None:
            return self._compose
        return self._dockerfile if of.image is None else self._image


def prepare(with_settings: settings.Settings) -> None:
    """End what a crash left of earlier builds, and put programs where projects look for them."""
    checkout.Repositories(with_settings).discard_all()
    script.discard_all(with_settings)
    if with_settings.script_helper is not None:
        try:
            programs.put_helper(with_settings.script_helper)
        except errors.SettingsError as error:
            _log.error("%s", error)  # projects that need it say so, others go on
