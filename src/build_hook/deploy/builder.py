"""Building an image: the command is run, watched, and its failure told in a sentence."""

import contextlib
import time
from collections.abc import Callable, Generator

from build_hook import errors, recipe, settings
from build_hook.deploy import (
    build_command,
    build_failure,
    buildlog,
    ceilings,
    clients,
    engine,
    images,
    intake,
    process,
    rawjson,
    warden,
)

# Seconds between tries while a registry does not give out a base image; each look at the
# repository tries again later.
_PAUSES = (1.0, 3.0, 9.0)


class Builder:
    """Builds the images of one instance on its engine."""

    def __init__(self, with_settings: settings.Settings, docker_engine: engine.Engine) -> None:
        self._settings = with_settings
        self._engine = docker_engine
        self._warden: warden.Warden | None = None

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

    def require_limits(self) -> None:
        """Make sure that the limits of builds hold on this machine.

        Raises:
            LimitError: if they cannot.
        """
        self._watch_over().require()

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
        with self._watched(how, place.mark(order.project.name), log) as check:
            try:
                process.run(
                    command,
                    env={**place.client.env, "DOCKER_HOST": self._engine.host},
                    timeout=how.timeout,
                    on_line=log,
                    check_stop=_both(check, check_stop),
                    read=rawjson.Reader() if place.client.speaks_json else lambda line: (line,),
                )
                return id_file.read_text(encoding="ascii").strip()
            except process.ProcessError as error:
                check()
                raise build_failure.of(error, how) from error
            finally:
                id_file.unlink(missing_ok=True)

    def _room(self) -> Callable[[], None]:
        folders = (self._settings.state, self._engine.data_root())

        def require() -> None:
            for folder in folders:
                images.require_space(folder, self._settings.min_free_mb)

        return require

    @contextlib.contextmanager
    def _watched(
        self, how: recipe.Build, mark: str, log: buildlog.Sink
    ) -> Generator[Callable[[], None]]:
        """Within the limits, as far as they are wanted and can hold; gives what checks them."""
        if self._settings.build_limits == "off":
            yield lambda: None
            return
        try:
            self.require_limits()
        except errors.LimitError as error:
            if self._settings.build_limits == "required":
                raise
            log(f"without limits: {error}")
            yield lambda: None
            return
        ceiling = ceilings.of(how.limits, ceilings.of_settings(self._settings))
        with self._watch_over().watching(mark, ceiling, self._room()) as ward:
            yield ward.check

    def _watch_over(self) -> warden.Warden:
        if not self._engine.host.startswith("unix://"):
            raise errors.LimitError(
                f"The engine at {self._engine.host} is on another machine: builds have no limits",
                "Run build-hook on the engine's host",
            )
        if self._warden is None:
            executor = self._engine.data_root() / "buildkit/executor"
            self._warden = warden.Warden(executor, ceilings.of_settings(self._settings))
        return self._warden


def _rest(seconds: float, check_stop: Callable[[], None]) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        check_stop()
        time.sleep(0.1)


def _both(first: Callable[[], None], second: Callable[[], None]) -> Callable[[], None]:
    def check() -> None:
        first()
        second()

    return check
