"""The guard of builds: has the warden watch them, as far as limits are wanted and can hold."""

import contextlib
from collections.abc import Callable, Generator

from build_hook import errors, recipe, settings
from build_hook.deploy import ceilings, engine, images, warden


class Guard:
    """Guards all builds of a worker: what they may take, they may take together."""

    def __init__(self, with_settings: settings.Settings, docker_engine: engine.Engine) -> None:
        self._settings = with_settings
        self._engine = docker_engine
        self._warden: warden.Warden | None = None

    def require(self) -> None:
        """Make sure that the limits of builds hold on this machine.

        Raises:
            LimitError: if they cannot.
        """
        self._watch_over().require()

    @contextlib.contextmanager
    def watching(
        self, how: recipe.Build, mark: str, log: Callable[[str], None]
    ) -> Generator[Callable[[], None]]:
        """Keep the steps that carry the mark within limits; gives what checks that none is passed.

        Raises:
            LimitError: if limits are required and cannot hold.
        """
        if self._settings.build_limits == "off":
            yield lambda: None
            return
        try:
            self.require()
        except errors.LimitError as error:
            if self._settings.build_limits == "required":
                raise
            log(f"without limits: {error}")
            yield lambda: None
            return
        ceiling = ceilings.of(how.limits, ceilings.of_settings(self._settings))
        with self._watch_over().watching(mark, ceiling, self._room()) as ward:
            yield ward.check

    # Private

    def _room(self) -> Callable[[], None]:
        folders = (self._settings.state, self._engine.data_root())

        def require() -> None:
            for folder in folders:
                images.require_space(folder, self._settings.min_free_mb)

        return require

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


def both(first: Callable[[], None], second: Callable[[], None]) -> Callable[[], None]:
    """One check of two."""

    def check() -> None:
        first()
        second()

    return check
