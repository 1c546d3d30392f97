"""Building an image: the command is run, watched, and its failure told in a sentence."""

import contextlib
import os
import time
from collections.abc import Callable

from build_hook import errors, labels, settings
from build_hook.deploy import (
    build_command,
    build_failure,
    buildlog,
    clients,
    docker_config,
    engine,
    guard,
    intake,
    manifests,
    process,
    rawjson,
)

# Seconds between tries while a registry does not give out a base image; each look at the
# repository tries again later.
_PAUSES = (1.0, 3.0, 9.0)


class Builder:
    """Builds the images of one instance on its engine."""

    def __init__(
        self,
        with_settings: settings.Settings,
        docker_engine: engine.Engine,
        by_guard: guard.Guard,
    ) -> None:
        self._settings = with_settings
        self._engine = docker_engine
        self._guard = by_guard

    def build(
        self,
        order: build_command.Order,
        log: buildlog.Sink,
        check_stop: Callable[[], None],
    ) -> str:
        """Build the image of a commit and return its id.

        Raises:
            CheckoutError: if the context or the Dockerfile is not in the repository.
            DiskFullError: if there is too little room, or the disk ran full.
            BaseImageError: if a registry did not give one out, several times in a row.
            EngineDownError: if the engine went away.
            ImageError: if the build failed, with its last lines in the log.
            LimitError: if it passed a limit, or limits are required and cannot hold.
        """
        intake.require_small(intake.size(order.folder), self._settings.build_context_mb)
        place = build_command.Place(
            clients.find(),
            self._engine.version(),
            self._engine.instance,
            self._settings.secrets,
            keeps_platforms=self._engine.keeps_platforms(),
        )
        for pause in _PAUSES:
            try:
                return self._attempt(order, place, log, check_stop)
            except errors.BaseImageError as error:
                log(f"{error.message}; trying again in {pause:g} s")
                _rest(pause, check_stop)
        return self._attempt(order, place, log, check_stop)

    # Private

    def _attempt(
        self,
        order: build_command.Order,
        place: build_command.Place,
        log: buildlog.Sink,
        check_stop: Callable[[], None],
    ) -> str:
        how = order.project.build
        id_file = order.folder.with_suffix(".iid")
        command = build_command.compose(order, place, id_file)
        mark = labels.step_mark(place.instance, order.project.name)
        with self._logged_in(order) as login, self._guard.watching(how, mark, log) as check:
            try:
                process.run(
                    command,
                    env={**place.client.env, **login, "DOCKER_HOST": self._engine.host},
                    timeout=how.timeout,
                    on_line=log,
                    check_stop=guard.both(check, check_stop),
                    read=rawjson.Reader() if place.client.speaks_json else lambda line: (line,),
                )
                return id_file.read_text(encoding="ascii").strip()
            except process.ProcessError as error:
                check()
                raise build_failure.of(error, how) from error
            finally:
                id_file.unlink(missing_ok=True)

    def _logged_in(
        self, order: build_command.Order
    ) -> contextlib.AbstractContextManager[dict[str, str]]:
        """The variables by which the command logs in to registries."""
        named = order.project.build.registry_logins
        logins = manifests.logins(self._settings.secrets, named)
        return docker_config.with_logins(order.folder.with_suffix(".docker"), logins, os.environ)


def _rest(seconds: float, check_stop: Callable[[], None]) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        check_stop()
        time.sleep(0.1)
