"""What the head of a ref is, and the files of a commit in a folder."""

import collections.abc
import contextlib
import pathlib
import shutil
from collections.abc import Callable, Iterable

from build_hook import errors, project, settings
from build_hook.deploy.repository import access, command, fetching, lfs, submodules

# A shallow fetch brings a pack or a few loose objects for every commit.
_MOST_LOOSE, _MOST_PACKS = 2000, 30
_HEAD, _LIVE = "refs/build-hook/head", "refs/build-hook/live"


class Repositories:
    """The bare repositories of one state folder, one per project."""

    def __init__(self, with_settings: settings.Settings) -> None:
        self._mirrors = with_settings.repositories
        self._checkouts = with_settings.checkouts
        self._ways = access.Access(with_settings)

    def heads(
        self, of: project.Project, refs: Iterable[str], check_stop: command.Stop = lambda: None
    ) -> dict[str, str]:
        """Ask the git host at which commit some refs are; a ref that is not there is left out.

        Raises:
            CheckoutError: if the host does not answer.
        """
        wanted = sorted(refs)
        with self._ways.towards(of, of.repository) as (url, env):
            output = command.run(
                "ls-remote", "--", url, *wanted, *(f"{ref}^{{}}" for ref in wanted),
                what=f"look at {command.redact(url)}", keep=None, env=env, check_stop=check_stop,
            )  # fmt: skip
        rows = (line.partition("\t") for line in output.splitlines())
        found = {name: commit for commit, _, name in rows if command.COMMIT.fullmatch(commit)}
        # a tag object is followed by its commit, named ref^{}
        return {r: found.get(f"{r}^{{}}") or found[r] for r in wanted if r in found}

    def fetch(
        self, of: project.Project, what: str, check_stop: command.Stop = lambda: None
    ) -> str:
        """Bring a ref's head or a commit, without its history; return the commit.

        What the project wants beside it, submodules and LFS files, is brought as well.

        Raises:
            CheckoutError: if it cannot be brought.
        """
        mirror = self._mirror(of)
        with self._ways.towards(of, of.repository) as (url, env):
            commit = fetching.fetch(mirror, url, what, _HEAD, env, check_stop)

        def bring(module: submodules.Module) -> None:
            if not submodules.is_here(mirror, module):
                with self._ways.towards(of, module.url) as (url, env):
                    fetching.fetch(mirror, url, module.commit, module.ref, env, check_stop)

        parts = self._parts(of, commit, bring)
        fetching.drop(mirror, submodules.REFS, frozenset(part.ref for part in parts[1:]))
        for part in parts if of.lfs else ():
            with self._ways.towards(of, part.url) as (url, env):
                lfs.fetch(mirror, url, part.commit, env, check_stop)
        return commit

    def mirror(self, of: project.Project) -> pathlib.Path:
        """The bare repository of a project."""
        return self._mirror(of)

    def message(self, of: project.Project, commit: str) -> str:
        """A commit's message."""
        mirror = self._mirror(of)
        return command.run("show", "-s", "--format=%B", commit, mirror=mirror, what="read")

    def read(self, of: project.Project, commit: str, name: str, most: int) -> str | None:
        """The text of a commit's file; None if there is none.

        Raises:
            RepositorySettingsError: if it is no plain file, or has more than ``most`` bytes.
        """
        return fetching.read(self._mirror(of), commit, name, most)

    def size(self, of: project.Project, commit: str) -> int:
        """Bytes of a commit's files, as they would be checked out."""
        mirror = self._mirror(of)
        parts = self._parts(of, commit)
        return sum(fetching.size(mirror, part.commit) for part in parts) + sum(
            lfs.size(mirror, part.commit) for part in parts if of.lfs
        )

    def changed_paths(self, of: project.Project, old: str, new: str) -> list[str] | None:
        """The files that differ between two commits; None if the old one cannot be had."""
        mirror = self._mirror(of)
        if not fetching.has(mirror, old):
            return None
        listed = command.run(
            "diff", "--name-only", "--no-renames", "-z", old, new, "--",
            mirror=mirror, what="compare", keep=None,
        )  # fmt: skip
        return [name for name in listed.split("\0") if name]

    def keep(self, of: project.Project, commit: str) -> None:
        """Hold on to the commit that is live, and let go of the objects of those before it."""
        mirror = self._mirror(of)
        command.run("update-ref", _LIVE, commit, mirror=mirror, what="note")
        lfs.tidy(mirror, [part.commit for part in self._parts(of, commit)] if of.lfs else [])
        loose = command.run("count-objects", mirror=mirror, what="count").partition(" ")[0]
        packs = len(list((mirror / "objects/pack").glob("*.pack")))
        if int(loose) > _MOST_LOOSE or packs > _MOST_PACKS:
            command.run(
                "gc", "--quiet", "--prune=now",
                mirror=mirror, what="tidy", timeout=command.FETCH_TIMEOUT,
            )  # fmt: skip

    @contextlib.contextmanager
    def checkout(
        self, of: project.Project, commit: str, build: int
    ) -> collections.abc.Generator[pathlib.Path]:
        """The files of a commit in a folder of their own, for as long as the block runs.

        There is no ``.git`` in it: a file that differs in every build would spoil the builder's
        cache of ``COPY . .``.
        """
        folder = self._checkouts / str(build)
        self.discard(build)
        folder.mkdir(mode=0o700)
        try:
            for part in self._parts(of, commit):
                place = submodules.folder_for(folder, part) if part.path else folder
                self._write(of, part, place, folder.with_suffix(".index"))
            yield folder
        finally:
            self.discard(build)

    def discard(self, build: int) -> None:
        """Remove what a build checked out."""
        shutil.rmtree(self._checkouts / str(build), ignore_errors=True)
        (self._checkouts / f"{build}.index").unlink(missing_ok=True)

    def discard_all(self) -> None:
        """Remove what crashed builds left."""
        for left in self._checkouts.iterdir():
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)

    def names(self) -> set[str]:
        """The projects that have a repository here."""
        return {mirror.name.removesuffix(".git") for mirror in self._mirrors.glob("*.git")}

    def forget(self, name: str) -> None:
        """Remove the repository of a project that is gone."""
        shutil.rmtree(self._mirrors / f"{name}.git", ignore_errors=True)

    def _parts(
        self,
        of: project.Project,
        commit: str,
        bring: Callable[[submodules.Module], None] = lambda module: None,
    ) -> list[submodules.Module]:
        """The repository itself, and its submodules if the project wants them."""
        whole = submodules.Module("", of.repository, commit)
        if not of.submodules:
            return [whole]
        return [whole, *submodules.walk(self._mirror(of), commit, of.repository, bring)]

    def _write(
        self,
        of: project.Project,
        part: submodules.Module,
        folder: pathlib.Path,
        index: pathlib.Path,
    ) -> None:
        mirror = self._mirror(of)
        index.unlink(missing_ok=True)
        filters = lfs.filters(mirror, part.url) if of.lfs else ()
        command.run(
            *filters, f"--work-tree={folder}",
            "checkout", "--quiet", "--force", part.commit, "--", ".",
            mirror=mirror, what=f"check out {part.commit[:10]}", timeout=command.FETCH_TIMEOUT,
            env={"GIT_INDEX_FILE": str(index)},
        )  # fmt: skip

    def _mirror(self, of: project.Project) -> pathlib.Path:
        mirror = self._mirrors / f"{of.name}.git"
        if not (mirror / "HEAD").exists():
            shutil.rmtree(mirror, ignore_errors=True)
            command.run("init", "--quiet", "--bare", "--", str(mirror), what="make a repository")
        # left by a git that was killed; one build per project runs, so nobody holds them
        locks = (mirror / "refs/build-hook").rglob("*.lock")
        for lock in (mirror / "shallow.lock", *locks):
            lock.unlink(missing_ok=True)
        fetching.discard_partial(mirror)
        return mirror


def inside(folder: pathlib.Path, relative: str, what: str) -> pathlib.Path:
    """A path of the repository, links followed, that does not leave it.

    Raises:
        CheckoutError: if it is missing or leads out.
    """
    path = (folder / relative).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise errors.CheckoutError(
            f"The {what} {relative!r} leads out of the repository", "Use a path inside it"
        )
    if not path.exists():
        raise errors.CheckoutError(
            f"The repository has no {relative!r}", f"Commit it, or correct the project's {what}"
        )
    return path
