"""A developer's copy of a repository: change, commit, push."""

import pathlib
import shutil

from build_hook.demo import git


class WorkCopy:
    """A clone with the files of one of the demo's applications in it."""

    def __init__(self, folder: pathlib.Path, url: str, authorization: str) -> None:
        self.folder = folder
        self._authorization = authorization
        git.run("init", "--quiet", "--initial-branch=main", "--", str(folder))
        git.run("remote", "add", "origin", url, folder=folder)

    def fill(self, application: pathlib.Path) -> None:
        """Put an application's files into it."""
        shutil.copytree(application, self.folder, dirs_exist_ok=True)

    def write(self, name: str, text: str) -> None:
        """Change one file."""
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text, encoding="utf-8")

    def commit(self, message: str) -> str:
        """Commit everything; the commit's id."""
        git.run("add", "--all", folder=self.folder)
        git.run("commit", "--quiet", "--message", message, folder=self.folder)
        return git.run("rev-parse", "HEAD", folder=self.folder)

    def tag(self, name: str, commit: str) -> None:
        """Tag a commit, and push the tag."""
        git.run("tag", name, commit, folder=self.folder)
        self._push(f"refs/tags/{name}")

    def push(self, branch: str = "main") -> None:
        """Push for real, over HTTP."""
        self._push(f"HEAD:refs/heads/{branch}")

    def _push(self, what: str) -> None:
        git.run(
            "push", "--quiet", "origin", what,
            folder=self.folder,
            settings={"http.extraHeader": f"Authorization: {self._authorization}"},
        )  # fmt: skip
