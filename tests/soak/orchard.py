"""One repository for many projects: a branch each, whose commits lie ready to be pushed."""

import json
import pathlib
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence

from build_hook.demo import git, gitserver

DOCKERFILE = 'ARG BASE\nFROM ${BASE}\nCOPY version.txt /version.txt\nCMD ["/bin/sleep", "86400"]\n'
NAME = "orchard"


def branch(number: int) -> str:
    """The branch of a project."""
    return f"refs/heads/p{number}"


class Orchard:
    """The commits are made at once; a push moves a branch, as far as a fetch can tell."""

    def __init__(self, forge: gitserver.GitServer, branches: int, pushes: int) -> None:
        self.pushes = pushes
        self.url = forge.create(NAME)
        self._path = forge.repositories[f"{NAME}.git"]
        self._commits = _plant(self._path, branches, pushes)
        self._lock = threading.Lock()

    def __enter__(self) -> "Orchard":
        self._refs = subprocess.Popen(
            [git.path(), f"--git-dir={self._path}", "update-ref", "--stdin"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._refs.communicate()

    def push(self, number: int, push: int) -> str:
        """Move a branch to its next commit; which that is."""
        commit = self._commits[number * self.pushes + push]
        assert self._refs.stdin and self._refs.stdout  # noqa: PT018
        with self._lock:
            for line in ("start", f"update {branch(number)} {commit}", "commit"):
                self._refs.stdin.write(f"{line}\n")
            answers = [self._refs.stdout.readline() for _ in range(2)]
        assert answers == ["start: ok\n", "commit: ok\n"], answers
        return commit

    def last(self, number: int, turns: Sequence[tuple[int, int]]) -> str:
        """The commit of a branch's last push."""
        pushes = max(push for other, push in turns if other == number)
        return self._commits[number * self.pushes + pushes]

    def payload(self, number: int, commit: str) -> bytes:
        """What a git host says of such a push."""
        repository = {"full_name": f"demo/{NAME}", "name": NAME, "clone_url": self.url}
        head = {"id": commit, "message": f"A change to p{number}"}
        value = {
            "ref": branch(number),
            "before": gitserver.ZERO,
            "after": commit,
            "repository": repository,
            "head_commit": head,
        }
        return json.dumps(value).encode()


def _plant(path: pathlib.Path, branches: int, pushes: int) -> list[str]:
    """Make all commits; their ids, branch by branch."""
    with tempfile.TemporaryDirectory() as folder:
        marks = pathlib.Path(folder) / "marks"
        subprocess.run(
            [git.path(), f"--git-dir={path}", "fast-import", "--quiet", f"--export-marks={marks}"],
            input="".join(_stream(branches, pushes)).encode(),
            check=True,
        )
        lines = (line.split() for line in marks.read_text(encoding="ascii").splitlines())
        by_mark = {int(mark[1:]): commit for mark, commit in lines}
    return [by_mark[mark] for mark in range(1, branches * pushes + 1)]


def _stream(branches: int, pushes: int) -> Iterator[str]:
    """What git fast-import reads."""
    for number in range(branches):
        for push in range(pushes):
            version = f"p{number}-{push}\n"
            yield (
                f"commit refs/keep/p{number}\nmark :{number * pushes + push + 1}\n"
                f"committer Demo <demo@example.com> {1_700_000_000 + push} +0000\n"
                f"data {len(version)}\n{version}"
                f"M 100644 inline Dockerfile\ndata {len(DOCKERFILE)}\n{DOCKERFILE}"
                f"M 100644 inline version.txt\ndata {len(version)}\n{version}\n"
            )
