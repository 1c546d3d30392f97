"""An SSH server on loopback that gives out repositories to one key."""

import contextlib
import dataclasses
import os
import pathlib
import shutil
import socket
import subprocess
import time
from collections.abc import Generator

from build_hook.demo import product


@dataclasses.dataclass(frozen=True, slots=True)
class SshServer:
    """A server that runs: where, its host key, and the private key that it takes."""

    folder: pathlib.Path
    root: pathlib.Path
    port: int

    @property
    def key(self) -> bytes:
        return (self.folder / "user").read_bytes()

    @property
    def known_host(self) -> str:
        """Its line for known_hosts."""
        words = (self.folder / "host.pub").read_text(encoding="ascii").split()
        return f"[127.0.0.1]:{self.port} {words[0]} {words[1]}\n"

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, repository: str) -> str:
        user = os.environ.get("USER") or "root"
        return f"ssh://{user}@{self.name}{self.root}/{repository}.git"

    def log(self) -> str:
        return (self.folder / "sshd.log").read_text(encoding="utf-8", errors="replace")

    def stranger(self) -> bytes:
        """A private key that it does not take."""
        _make_key(self.folder / "stranger")
        return (self.folder / "stranger").read_bytes()


@contextlib.contextmanager
def serving(folder: pathlib.Path, root: pathlib.Path) -> Generator[SshServer]:
    """Serve the repositories of a folder."""
    program = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    assert program, "openssh-server is not installed: apt-get install openssh-server"
    pathlib.Path("/run/sshd").mkdir(exist_ok=True)
    folder.mkdir()
    for name in ("host", "user"):
        _make_key(folder / name)
    rule = 'restrict,command="git-shell -c \\"$SSH_ORIGINAL_COMMAND\\""'
    key = (folder / "user.pub").read_text(encoding="ascii")
    (folder / "authorized").write_text(f"{rule} {key}", encoding="ascii")
    server = SshServer(folder, root, product.free_port())
    file = folder / "sshd_config"
    file.write_text(_configuration(server), encoding="utf-8")
    with (folder / "sshd.log").open("wb") as log:
        process = subprocess.Popen([program, "-D", "-e", "-f", str(file)], stderr=log)
    try:
        _wait(server)
        yield server
    finally:
        process.terminate()
        process.wait()


def _make_key(path: pathlib.Path) -> None:
    path.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)


def _configuration(server: SshServer) -> str:
    lines = {
        "ListenAddress": f"127.0.0.1:{server.port}",
        "HostKey": str(server.folder / "host"),
        "AuthorizedKeysFile": str(server.folder / "authorized"),
        "PidFile": "none",
        "StrictModes": "no",
        "UsePAM": "no",
        "PasswordAuthentication": "no",
        "LogLevel": "VERBOSE",
    }
    return "".join(f"{key} {value}\n" for key, value in lines.items())


def _wait(server: SshServer) -> None:
    deadline = time.monotonic() + 10
    while True:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", server.port), 1).close()
            return
        assert time.monotonic() < deadline, server.log()
        time.sleep(0.05)
