"""A git host: bare repositories behind git's own daemon, and deliveries in GitHub's words."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import time

BUSYBOX = pathlib.Path("/bin/busybox")
_WEB = """FROM scratch
COPY busybox /bin/busybox
COPY index.html /www/index.html
ENTRYPOINT ["/bin/busybox", "httpd", "-f", "-p", "80", "-h", "/www"]
"""
_TCP = """FROM scratch
COPY busybox /bin/busybox
COPY index.html /index.html
ENTRYPOINT ["/bin/busybox", "nc", "-llllllll", "-p", "64738", "-e"]
CMD ["/bin/busybox", "cat", "/index.html"]
"""


class GitHost:
    """Serves what is below a folder at an address; nothing can be pushed but from here."""

    def __init__(self, folder: pathlib.Path, address: str) -> None:
        self._folder = folder
        self._address = address
        with socket.socket() as probe:
            probe.bind((address, 0))
            self._port = probe.getsockname()[1]

    def __enter__(self) -> "GitHost":
        self._folder.mkdir(parents=True)
        options = [f"--listen={self._address}", f"--port={self._port}", "--export-all"]
        self._daemon = subprocess.Popen(
            ["git", "daemon", "--reuseaddr", *options, f"--base-path={self._folder}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex((self._address, self._port)) == 0:
                    return self
            time.sleep(0.05)
        raise RuntimeError("git daemon does not listen")

    def __exit__(self, *_: object) -> None:
        self._daemon.terminate()
        self._daemon.wait()

    def create(self, name: str) -> str:
        """Make a repository with a first version in it; its clone URL."""
        bare = self._folder / f"{name}.git"
        _git("init", "--quiet", "--bare", "--initial-branch=master", str(bare))
        _git("config", "uploadpack.allowAnySHA1InWant", "true", cwd=bare)
        copy = self._copy(name)
        _git("clone", "--quiet", str(bare), str(copy))
        shutil.copy2(BUSYBOX, copy / "busybox")
        (copy / "Dockerfile").write_text(_TCP if "mumble" in name else _WEB)
        self.push(name, "one")
        return self.url(name)

    def push(self, name: str, version: str) -> bytes:
        """Push a version; the body of the delivery that tells of it."""
        copy = self._copy(name)
        before = _git("rev-parse", "--verify", "--quiet", "HEAD", cwd=copy, check=False)
        (copy / "index.html").write_text(f"{version}\n")
        _git("add", "--all", cwd=copy)
        _git("commit", "--quiet", "--message", f"Version {version}", cwd=copy)
        _git("push", "--quiet", "origin", "HEAD:master", cwd=copy)
        after = _git("rev-parse", "HEAD", cwd=copy)
        return self._delivery(name, before or "0" * 40, after)

    def elsewhere(self, name: str) -> bytes:
        """The body of a delivery about a branch that no project follows: it asks for nothing."""
        head = _git("rev-parse", "HEAD", cwd=self._copy(name))
        return self._delivery(name, "0" * 40, head, "refs/heads/elsewhere")

    def url(self, name: str) -> str:
        """Where machines clone from."""
        return f"git://{self._address}:{self._port}/{name}.git"

    def _delivery(
        self, name: str, before: str, after: str, ref: str = "refs/heads/master"
    ) -> bytes:
        commit = {"id": after, "message": "A version", "timestamp": "2026-01-01T00:00:00Z"}
        repository = {"name": name, "full_name": name, "clone_url": self.url(name)}
        return json.dumps(
            {
                "ref": ref,
                "before": before,
                "after": after,
                "created": False,
                "deleted": False,
                "forced": False,
                "head_commit": commit,
                "commits": [commit],
                "repository": repository,
            }
        ).encode()

    def _copy(self, name: str) -> pathlib.Path:
        return self._folder / f"{name}-copy"


def _git(*arguments: str, cwd: pathlib.Path | None = None, check: bool = True) -> str:
    person = {f"GIT_{who}_{what}": "developer@example.com" for who in ("AUTHOR", "COMMITTER")
              for what in ("NAME", "EMAIL")}  # fmt: skip
    done = subprocess.run(
        ["git", *arguments], cwd=cwd, check=check, capture_output=True, text=True,
        env={**os.environ, **person, "GIT_CONFIG_GLOBAL": "/dev/null"},
    )  # fmt: skip
    return done.stdout.strip()
