"""What secrets held when a build was deployed: its containers and roll-backs go on with that.

A folder for each build of a project or service that has any, which nobody but the worker's user
can enter. The files in ``files`` are mounted: their own mode counts in the container only. Those
in ``said`` are what scripts named with ``--env-file``. See docs/adr/0033.
"""

import dataclasses
import os
import pathlib
import shutil
from collections.abc import Callable, Iterable, Iterator

from build_hook import errors, part, project, secret_mount, settings
from build_hook.deploy import runspec


@dataclasses.dataclass(frozen=True, slots=True)
class Held:
    """What the secrets of one build hold."""

    folder: pathlib.Path

    @property
    def values(self) -> pathlib.Path:
        """Each secret by its name."""
        return self.folder / "values"

    @property
    def said(self) -> pathlib.Path:
        """The files that scripts had docker read, by their numbers."""
        return self.folder / "said"

    def files(self, of: project.Project) -> Iterator[tuple[pathlib.Path, str]]:
        """What is mounted, and where."""
        for number, each in enumerate(of.secrets):
            yield self.folder / "files" / str(number), each.path


class Confided:
    """The secrets of an instance's builds."""

    def __init__(self, with_settings: settings.Settings) -> None:
        self._secrets = with_settings.secrets
        self._folder = with_settings.confided
        self._engine = with_settings.docker_host

    def of(self, of: project.Project, build: int) -> Held:
        """What a build was deployed with; if that is not known, what the secrets hold now.

        Raises:
            ContainerError: if one of them is missing, or others may read it.
        """
        held = self._held(of.name, build)
        if not held.folder.exists():
            self._write(of, held, None)
        return held

    def keep(
        self, of: project.Project, build: int, like: int | None, log: Callable[[str], None]
    ) -> None:
        """Hold on to what the secrets are now, or were for the build that is gone back to.

        Raises:
            ContainerError: if one of them is missing, or others may read it.
        """
        if like is not None:
            self.hear(of.name, build, self._held(of.name, like).said)
        if not _names(of):
            return
        before = self._before(of, like) if like is not None else None
        if like is not None:
            said = f"those of build {before.folder.name}" if before else "today's: none are kept"
            log(f"secrets: {said}")
        self._write(of, self._held(of.name, build), before)

    def hear(self, name: str, build: int, said: pathlib.Path) -> None:
        """Hold on to the files in a folder, which a build's scripts had docker read."""
        if not said.is_dir():
            return
        held = self._held(name, build)
        for folder in (self._folder, held.folder.parent, held.folder):
            folder.mkdir(mode=0o700, exist_ok=True)
        shutil.rmtree(held.said, ignore_errors=True)
        shutil.copytree(said, held.said)

    def carry(self, of: project.Project, build: int, since: int) -> None:
        """Let a build have what a service was told by an earlier one, since it is the same."""
        before = self._before(of, since)
        if before is not None:
            self._write(of, self._held(of.name, build), before)

    def is_told(self, of: project.Project, since: int, like: int | None) -> bool:
        """Whether a container of an earlier build was told what ``keep`` would tell it now.

        Raises:
            ContainerError: if one of the secrets is missing, or others may read it.
        """
        told = self._before(of, since)
        before = self._before(of, like) if like is not None else None
        if told is None or (like is not None and before is None):
            return True  # nobody knows: it is no reason to replace what runs
        now = before.values if before else self._secrets
        return all(
            runspec.secret(told.values, name) == runspec.secret(now, name) for name in _names(of)
        )

    def drop(self, name: str, build: int) -> None:
        """Forget what a build had that does not serve."""
        for unit in self._units(name):
            shutil.rmtree(unit / str(build), ignore_errors=True)

    def tidy(self, name: str, needed: Iterable[int]) -> None:
        """Forget what no build has that is needed, and drafts that a crash left."""
        kept = {str(build) for build in needed}
        for unit in self._units(name):
            for folder in unit.iterdir():
                if folder.name.removeprefix(".") not in kept:
                    shutil.rmtree(folder, ignore_errors=True)

    def forget(self, name: str) -> None:
        """Forget all of a project."""
        for unit in self._units(name):
            shutil.rmtree(unit, ignore_errors=True)

    # Private

    def _held(self, unit: str, build: int) -> Held:
        return Held(self._folder / unit / str(build))

    def _units(self, name: str) -> list[pathlib.Path]:
        found = self._folder.iterdir() if self._folder.is_dir() else ()
        return [unit for unit in found if part.root(unit.name) == name]

    def _before(self, of: project.Project, build: int) -> Held | None:
        """What a build ran with, if all of it is known."""
        held = self._held(of.name, build)
        is_whole = all((held.values / name).exists() for name in _names(of))
        return held if is_whole else None

    def _write(self, of: project.Project, held: Held, before: Held | None) -> None:
        """Write all of it, or nothing."""
        if not _names(of):
            return
        if of.secrets and not self._engine.startswith("unix://"):
            raise errors.ContainerError(
                f"secrets are files of this machine, and the engine is at {self._engine}",
                "Use env_file in their place, or run build-hook on the engine's host",
            )
        draft = Held(held.folder.with_name(f".{held.folder.name}"))
        shutil.rmtree(draft.folder, ignore_errors=True)
        unit = draft.folder.parent
        for folder in (self._folder, unit, draft.folder, draft.values, draft.folder / "files"):
            folder.mkdir(mode=0o700, exist_ok=True)
        for name in _names(of):
            _create(
                draft.values / name,
                runspec.secret(before.values if before else self._secrets, name),
            )
        for (file, _), each in zip(draft.files(of), of.secrets, strict=True):
            _create(file, (draft.values / each.source).read_bytes())
            _hand_over(file, each)
        if held.said.is_dir():
            shutil.copytree(held.said, draft.said)
        shutil.rmtree(held.folder, ignore_errors=True)
        draft.folder.rename(held.folder)


def _names(of: project.Project) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*of.env_file, *(each.source for each in of.secrets))))


def _create(file: pathlib.Path, content: bytes) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())


def _hand_over(file: pathlib.Path, to: secret_mount.SecretMount) -> None:
    """Give the file the owner and mode that it shall have in the container."""
    try:
        if to.uid is not None or to.gid is not None:
            os.chown(file, int(to.uid or 0), int(to.gid or 0))
    except PermissionError as error:
        raise errors.ContainerError(
            f"The worker may not give the secret {to.source} to user {to.uid or 0}",
            "Leave uid and gid out of it, or run the worker as root",
        ) from error
    file.chmod(int(to.mode, 8))
